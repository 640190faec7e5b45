"""Paths that are given from outside and must not lead out of the folder they are meant for."""

from pathlib import PurePosixPath


def is_inside(path: str) -> bool:
    """Whether this relative path names something below its folder."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path
