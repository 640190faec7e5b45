"""File systems of a test's own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def disk_of(size: str, where: Path) -> Iterator[Path]:
    """A file system of that size, such as "1m"; needs the right to mount."""
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(where)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a full disk needs the right to mount a tmpfs (run as root)")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True)
