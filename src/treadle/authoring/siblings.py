"""Lets functions sent by value import, while they run, files that lay beside their script.

What a script has imported goes along by value; what its functions import only when called does
not. On a machine that sees the script's folders, such imports find them, after all else.
"""

import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_INSTALLED = ("site-packages", "dist-packages")


class Siblings:
    """The last finder on sys.meta_path: looks into the script's folders."""

    def __init__(self, folders: Sequence[str]) -> None:
        self.folders = list(folders)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None:  # inside a package; the usual finders know where
            return None
        return importlib.machinery.PathFinder.find_spec(name, self.folders, target)


def with_siblings(folders: Sequence[str], functions: dict[str, Any]) -> dict[str, Any]:
    """Called when the functions are unpickled: returns them, the folders made importable."""
    if not any(isinstance(f, Siblings) and f.folders == folders for f in sys.meta_path):
        sys.meta_path.append(Siblings(folders))
    return functions


def own_folders() -> list[str]:
    """The folders that this process imports the user's own modules from."""
    ours = str(Path(__file__).parents[2])
    prefixes = (sys.base_prefix, sys.base_exec_prefix)
    folders = dict.fromkeys(str(Path(entry).absolute()) for entry in sys.path)
    return [
        folder
        for folder in folders
        if folder != ours
        and not any(part in folder for part in _INSTALLED)
        and not folder.startswith(tuple(f"{prefix}/lib" for prefix in prefixes))
    ]
