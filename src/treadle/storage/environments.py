"""Where built environments lie, and which of them nobody has used for long.

<root>/<name>/ holds `venv` (the prefix), `build.log`, the files it was built from, and
`environment.json`, written last: without it the folder is a draft. An environment is built where
it stays, since not all of a virtual environment can be moved. That file's mtime tells when the
environment was last used.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from treadle.model.records import Environment
from treadle.storage.trees import TAKEN, remove_tree, taken_away

MARKER, PREFIX, LOG = "environment.json", "venv", "build.log"
_DRAFT_SECONDS = 3600.0  #: older than any build may take


class EnvironmentFolders:
    """The folders of one data directory's environments."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, environment: Environment) -> Path:
        return self.root / name_of(environment)

    def python(self, environment: Environment) -> str | None:
        """Its interpreter if it is there, and used from now on; None if it has to be built."""
        folder = self.folder(environment)
        python = f"{folder}/{PREFIX}/bin/python"
        try:
            os.utime(folder / MARKER)
            os.stat(python)  # its base may have been removed
        except OSError:
            return None
        return python

    def finish(self, environment: Environment) -> None:
        """What was built is whole. Raises OSError."""
        folder = self.folder(environment)
        draft = folder / f"{MARKER}.draft"
        draft.write_text(json.dumps(asdict(environment), indent=2))
        draft.replace(folder / MARKER)

    def renew(self, environment: Environment) -> None:
        """It is in use. Where that cannot be noted, a later use may have to build it again."""
        with contextlib.suppress(OSError):
            os.utime(self.folder(environment) / MARKER)

    def unused(self, days: float | None) -> list[str]:
        """Names of those not used for so many days (None: all are kept), of abandoned drafts, and
        of what was about to be removed."""
        if not self.root.is_dir():
            return []
        return [e.name for e in sorted(self.root.iterdir()) if _is_unused(e, days)]

    def remove(self, names: Iterable[str], days: float | None) -> int:
        """Take each folder away at once, then file by file, unless it was used since it was found
        to be unused for so many days; return how many."""
        removed = 0
        for name in names:
            folder = self.root / name
            if _is_unused(folder, days) and (taken := taken_away(folder)) is not None:
                remove_tree(taken)
                removed += 1
        return removed


def name_of(environment: Environment) -> str:
    """Its key; with the engine's own Python where it names none."""
    if environment.python or environment.conda:
        return environment.key
    return f"{environment.key}-{sys.implementation.cache_tag}"


def key_of(name: str) -> str:
    """The key of the environment whose folder has this name."""
    return name.partition("-")[0]


def _is_unused(folder: Path, days: float | None) -> bool:
    if folder.name.startswith("."):
        return folder.name.startswith(TAKEN)
    since = _used(folder)
    limit = _DRAFT_SECONDS if since is None else _seconds(days)
    return time.time() - (since or _born(folder)) > limit


def _used(folder: Path) -> float | None:
    try:
        return (folder / MARKER).stat().st_mtime
    except OSError:
        return None


def _born(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()


def _seconds(days: float | None) -> float:
    """Never less than an hour: a job that uses one renews it all the time."""
    return float("inf") if days is None else max(days * 86400, _DRAFT_SECONDS)
