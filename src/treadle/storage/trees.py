"""Folders removed with all that is in them, read-only folders too."""

import contextlib
import os
from pathlib import Path

from treadle.model.ids import new_id

TAKEN = ".removed-"  #: begins the names of folders that are about to be removed


def taken_away(folder: Path) -> Path | None:
    """Give the folder a passing name, so that nobody finds half of it while it is removed.

    None if it is not there, or may not be touched.
    """
    taken = folder.with_name(f"{TAKEN}{new_id('dir')}")
    try:
        return folder.rename(taken)
    except OSError:
        return None


def remove_tree(path: str | os.PathLike[str]) -> None:
    """Remove a folder; what cannot be removed stays. Links are not followed."""
    folders = [os.fspath(path)]
    for folder in folders:  # which grows meanwhile
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)  # only root may remove what is in a read-only folder
            folders += _emptied(folder)
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _emptied(folder: str) -> list[str]:
    """The folders in it; all else is removed."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found.append(entry.path)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
    return found
