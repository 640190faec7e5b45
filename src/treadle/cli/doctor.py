"""`treadle doctor`: is everything here that Treadle needs, and in order?"""

import importlib.util
import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

import treadle
from treadle.cli import printing
from treadle.cli.door import opened, settings_from
from treadle.cli.options import DataDir, Json
from treadle.errors import NotFound, TreadleError
from treadle.server.settings import Settings

LOW_DISK_BYTES = 500_000_000
NOBODY = "none now; the next `treadle run` is it"
CGROUP = Path("/sys/fs/cgroup")

#: optional module -> what it is for, how to get it
OPTIONAL = {
    "pyarrow": ("tables as Arrow between steps", "pip install 'treadle[arrow]'"),
    "numpy": ("arrays between steps", "pip install numpy"),
    "pandas": ("pandas tables between steps", "pip install pandas"),
    "polars": ("Polars tables between steps", "pip install polars"),
    "sklearn": ("the examples", "pip install scikit-learn"),
}

Status = Literal["ok", "warning", "broken", "absent"]
STYLES = {"ok": "green", "warning": "yellow", "broken": "bold red", "absent": "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the examination."""

    what: str
    status: Status
    says: str
    hint: str = ""


def doctor(
    data_dir: DataDir = None,
    as_json: Json = False,
    optional: Annotated[bool, typer.Option(help="Look for optional parts too.")] = True,
) -> None:
    """Examine this machine and the data directory; exit 1 when something is broken."""
    settings = settings_from(data_dir=data_dir)
    findings = list(examine(settings, optional=optional))
    broken = any(finding.status == "broken" for finding in findings)
    if as_json:
        printing.say_json({"ok": not broken, "findings": findings})
    else:
        _print(findings)
    raise typer.Exit(printing.FAILED if broken else printing.OK)


def _print(findings: list[Finding]) -> None:
    rows = [((f.status, STYLES[f.status]), f.what, f.says) for f in findings]
    printing.table(("", "part", "found"), rows)
    for finding in findings:
        if finding.hint:
            printing.say(f"\n{finding.what}: {finding.hint}")


def examine(settings: Settings, *, optional: bool = True) -> Iterator[Finding]:
    """All findings, in the order in which a person would look."""
    yield from (_treadle(), _python(), _platform())
    yield from (_memory(), _processors(settings))
    usable = _data_dir(settings.data_dir)
    yield usable
    if usable.status != "broken":
        yield _disk(settings.data_dir)
        yield _ledger(settings.data_dir / "ledger.db")
        yield _owner(settings)
    if optional:
        yield from map(_optional, OPTIONAL)


def _treadle() -> Finding:
    return Finding(what="treadle", status="ok", says=treadle.__version__)


def _python() -> Finding:
    good = sys.version_info >= (3, 11)
    hint = "" if good else "Treadle needs Python 3.11 or newer."
    says = f"{platform.python_version()} at {sys.executable}"
    return Finding(what="python", status="ok" if good else "broken", says=says, hint=hint)


def _platform() -> Finding:
    good = sys.platform == "linux"
    hint = "" if good else "Linux is supported; on others use a container or a virtual machine."
    says = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Finding(what="platform", status="ok" if good else "broken", says=says, hint=hint)


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    says = printing.size(total)
    limit = memory_limit()
    if limit is not None and limit < total:
        says += f", of which this container may use {printing.size(limit)}"
    return Finding(what="memory", status="ok", says=says)


def memory_limit(cgroup: Path = CGROUP) -> int | None:
    """The cgroup's memory limit in bytes, if it has one (version 2, then 1)."""
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None


def _processors(settings: Settings) -> Finding:
    usable = len(os.sched_getaffinity(0))
    says = f"{usable} of {os.cpu_count()} usable, {settings.slots} slots"
    if settings.slots <= 2 * usable:
        return Finding(what="processors", status="ok", says=says)
    hint = "More slots than processors make each job slower; set TREADLE_SLOTS lower."
    return Finding(what="processors", status="warning", says=says, hint=hint)


def _data_dir(folder: Path) -> Finding:
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    if not nearest.is_dir():
        return _bad_dir(folder, f"{nearest} is not a folder")
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        return _bad_dir(folder, f"{nearest} cannot be read and written by this user")
    says = str(folder) if nearest == folder else f"{folder} (made when first needed)"
    return Finding(what="data directory", status="ok", says=says)


def _bad_dir(folder: Path, why: str) -> Finding:
    hint = "Choose another one with --data-dir or TREADLE_DATA_DIR, or correct its permissions."
    says = str(folder) if str(folder) in why else f"{folder}: {why}"
    return Finding(what="data directory", status="broken", says=why or says, hint=hint)


def _disk(folder: Path) -> Finding:
    usage = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists()))
    says = f"{printing.size(usage.free)} free of {printing.size(usage.total)}"
    if usage.free >= LOW_DISK_BYTES:
        return Finding(what="disk", status="ok", says=says)
    hint = "Free some space: `treadle gc` removes what nothing refers to."
    return Finding(what="disk", status="warning", says=says, hint=hint)


def _ledger(file: Path) -> Finding:
    if not file.exists():
        return Finding(what="ledger", status="ok", says="none yet")
    try:
        version, check = _look_into(file)
    except sqlite3.Error as error:
        hint = "Move it away, or put the backup beside it in its place."
        says = f"{file}: {error}"
        return Finding(what="ledger", status="broken", says=says, hint=hint)
    says = (
        f"schema {version}, {printing.size(file.stat().st_size)}, SQLite {sqlite3.sqlite_version}"
    )
    if check == "ok":
        return Finding(what="ledger", status="ok", says=says)
    hint = "The file is damaged; put the backup beside it in its place."
    return Finding(what="ledger", status="broken", says=f"{says}: {check}", hint=hint)


def _look_into(file: Path) -> tuple[int, str]:
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
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
        return Finding(what="owner", status="ok", says=NOBODY)
    except TreadleError as error:
        return Finding(what="owner", status="broken", says=error.message, hint=error.hint)
    if health["status"] != "ok":
        return Finding(what="owner", status="ok", says=NOBODY)
    slots = health["slots"]
    says = f"process {health['pid']}, {slots['busy']} of {slots['total']} slots busy"
    return Finding(what="owner", status="ok", says=says)


def _optional(module: str) -> Finding:
    purpose, how = OPTIONAL[module]
    if importlib.util.find_spec(module) is None:
        return Finding(what=module, status="absent", says=f"for {purpose}: {how}")
    from importlib import metadata  # noqa: PLC0415 - 10 ms that other commands do not need

    names = metadata.packages_distributions().get(module, [module])
    version = metadata.version(names[0])
    return Finding(what=module, status="ok", says=f"{version}, for {purpose}")
