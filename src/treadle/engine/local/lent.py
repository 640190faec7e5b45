"""What a fork server in another Python needs of ours, each in a folder that holds nothing else.

Our site-packages never come onto its path: only Treadle itself, which is pure Python here, and,
for a Python of our own version, the two packages that slots import.
"""

import os
import sys
from pathlib import Path

import blake3
import cloudpickle

import treadle
from treadle.model.ids import new_id

_FOLDER = ".lent"


def lend(root: Path) -> tuple[str, str]:
    """(folder with Treadle, folder with the packages that slots import), below the root.

    The second serves only a Python of the same `sys.implementation.cache_tag`.
    """
    treadle_folder = _package(treadle)
    packages = [_package(cloudpickle), _package(blake3)]
    tag = sys.implementation.cache_tag or "python"
    return (
        _links(root / _FOLDER / "treadle", [treadle_folder]),
        _links(root / _FOLDER / tag, packages),
    )


def _package(module: object) -> Path:
    return Path(str(getattr(module, "__file__", ""))).parent


def _links(folder: Path, targets: list[Path]) -> str:
    """A folder with a link to each target, made anew where one leads elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets:
        link = folder / target.name
        if not link.is_symlink() or os.readlink(link) != str(target):
            draft = folder / new_id("lnk")
            draft.symlink_to(target)
            draft.replace(link)
    return str(folder)
