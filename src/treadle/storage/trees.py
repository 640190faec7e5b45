"""Folders removed with all that is in them, read-only folders too."""

import contextlib
import os


def remove_tree(path: str | os.PathLike[str]) -> None:
    """Remove a folder; what cannot be removed stays. Links are not followed."""
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)  # nobody may remove what is in a read-only folder, but root
        with os.scandir(path) as entries:
            for entry in entries:
                _remove(entry)
        os.rmdir(path)


def _remove(entry: "os.DirEntry[str]") -> None:
    if entry.is_dir(follow_symlinks=False):
        remove_tree(entry.path)
    else:
        with contextlib.suppress(OSError):
            os.unlink(entry.path)
