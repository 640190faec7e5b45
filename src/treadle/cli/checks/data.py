"""The data directory: can it be used, has it room, is the ledger whole, who owns it."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from treadle.cli import printing
from treadle.cli.checks.finding import Finding, broken, doubtful, good
from treadle.cli.opening import opened
from treadle.errors import NotFound, TreadleError
from treadle.server.settings import Settings
from treadle.storage.environments import MARKER

LOW_DISK_BYTES = 500_000_000
NOBODY = "none now; the next `treadle run` is it"


def examine(settings: Settings) -> Iterator[Finding]:
    usable = _data_dir(settings.data_dir)
    yield usable
    if usable.status == "broken":
        return
    yield _disk("disk", settings.data_dir)
    blobs = Path(settings.blobs_address)
    if "://" not in settings.blobs_address and _device(blobs) != _device(settings.data_dir):
        yield _disk("disk of blobs", blobs)
    yield _ledger(settings.data_dir / "ledger.db")
    yield _owner(settings)
    yield _environments(settings.data_dir / "environments")


def _data_dir(folder: Path) -> Finding:
    nearest = _nearest(folder)
    if not nearest.is_dir():
        return _unusable(folder, f"{nearest} is not a folder")
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        return _unusable(folder, f"{nearest} cannot be read and written by this user")
    says = str(folder) if nearest == folder else f"{folder} (made when first needed)"
    return good("data directory", says)


def _unusable(folder: Path, why: str) -> Finding:
    hint = "Choose another one with --data-dir or TREADLE_DATA_DIR, or correct its permissions."
    return broken("data directory", why if str(folder) in why else f"{folder}: {why}", hint)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _device(folder: Path) -> int:
    return _nearest(folder.absolute()).stat().st_dev


def _disk(what: str, folder: Path) -> Finding:
    usage = shutil.disk_usage(_nearest(folder.absolute()))
    says = f"{printing.size(usage.free)} free of {printing.size(usage.total)}"
    if usage.free >= LOW_DISK_BYTES:
        return good(what, says)
    return doubtful(what, says, "Free some space: `treadle gc` removes what nothing refers to.")


def _ledger(file: Path) -> Finding:
    if not file.exists():
        return good("ledger", "none yet")
    try:
        version, check = _look_into(file)
    except sqlite3.Error as error:
        hint = "Move it away, or put the backup beside it in its place."
        return broken("ledger", f"{file}: {error}", hint)
    size = printing.size(file.stat().st_size)
    says = f"schema {version}, {size}, SQLite {sqlite3.sqlite_version}"
    if check == "ok":
        return good("ledger", says)
    hint = "The file is damaged; put the backup beside it in its place."
    return broken("ledger", f"{says}: {check}", hint)


def _look_into(file: Path) -> tuple[int, str]:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    try:
        version = connection.execute("pragma user_version").fetchone()[0]
        return version, connection.execute("pragma quick_check(1)").fetchone()[0]
    finally:
        connection.close()


def _owner(settings: Settings) -> Finding:
    try:
        with opened(settings, start=False) as door:
            health = door.health()
    except NotFound:
        return good("owner", NOBODY)
    except TreadleError as error:
        return broken("owner", error.message, error.hint)
    if health["status"] != "ok":
        return good("owner", NOBODY)
    slots = health["slots"]
    return good("owner", f"process {health['pid']}, {slots['busy']} of {slots['total']} slots busy")


def _environments(root: Path) -> Finding:
    built = sorted(root.glob(f"*/{MARKER}"))
    if not built:
        return good("environments", "none built")
    size = sum(map(folder_size, {marker.parent for marker in built}))
    return good("environments", f"{len(built)} built, {printing.size(size)} in {root}")


def folder_size(folder: Path) -> int:
    """Bytes of a folder's files, those with several names counted once."""
    seen: dict[tuple[int, int], int] = {}
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(path, name))
            except OSError:
                continue  # removed meanwhile
            seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())
