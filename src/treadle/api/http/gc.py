"""Upkeep: forget old runs, then free every byte that nothing refers to any more."""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import json_body
from treadle.api.http.encode import json_response
from treadle.api.http.state import House, house_of, scheduler_of
from treadle.errors import InvalidRequest, StorageFull
from treadle.interfaces import Books
from treadle.scheduler import Scheduler
from treadle.storage.blobs import gc
from treadle.storage.environments import EnvironmentFolders, key_of
from treadle.storage.trees import remove_tree, taken_away

log = logging.getLogger("treadle.api")
MOST_DAYS = 500_000  #: further back there are no dates
SPARED = timedelta(hours=1)  #: what is younger may be about to be named by somebody


async def post_gc(request: Request) -> Response:
    """Forget old runs and free what nothing refers to: what was, or would be, removed."""
    scheduler, house = scheduler_of(request), house_of(request)
    body = await json_body(request, ("dry_run", "retention_days"))
    dry_run, days = body.get("dry_run", False), body.get("retention_days", house.retention_days)
    if not isinstance(dry_run, bool):
        raise InvalidRequest("dry_run: expected true or false.")
    runs, now = 0, min(house.clock.now(), datetime.now(UTC))  # the clock may have been set back
    try:
        if days is not None:
            runs = await _forget(house, scheduler, _age(days), dry_run=dry_run)
        if not dry_run:
            moment = now - SPARED
            await house.ledger.write(lambda books: books.delete_unused_definitions(moment))
    except StorageFull as error:  # blobs can be freed all the same, which is what is needed now
        log.warning("what the ledger holds is left as it is: %s", error)
    # What is named from now on was put, or asked for, a short while ago, and is spared for that.
    named = await house.ledger.read_long(lambda books: books.referenced_digests())
    blobs = await to_thread.run_sync(lambda: gc.collect(house.blobs, named, now, SPARED, dry_run))
    folders = 0
    for folder in KNOWN:
        folders += await _sweep(house, folder, dry_run=dry_run)
    environments = await _sweep_environments(house, dry_run=dry_run)
    return json_response(
        {
            "dry_run": dry_run,
            "environments": environments,
            "runs": runs,
            "blobs": blobs.count,
            "bytes": blobs.size_bytes,
            "folders": folders,
        }
    )


def _age(days: Any) -> timedelta:
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days < MOST_DAYS:
        raise InvalidRequest("retention_days: expected a number of days from 0, or null.")
    return timedelta(days=days)


async def _forget(house: House, scheduler: Scheduler, age: timedelta, *, dry_run: bool) -> int:
    if not dry_run:
        return await scheduler.forget_old(age)
    moment = house.clock.now() - age
    return len(house.ledger.read(lambda books: books.ended_runs_before(moment, 1_000_000)))


async def _sweep(house: House, folder: str, *, dry_run: bool) -> int:
    """Remove what belongs to nothing known. Listed before the ledger is asked: what is made in
    the meantime is known by then, or not on the list. Ids are never given out again; code may be
    named again at any time, so it is asked for once more, and taken away before anybody else has a
    turn: who needs it from then on makes it anew."""
    root = house.data_dir / folder
    names = await to_thread.run_sync(_listed, root, SPARE[folder])
    known = await house.ledger.read_long(KNOWN[folder]) if names else set()
    unknown = [name for name in names if name not in known]
    if unknown and folder == "snapshots":
        known = house.ledger.read(KNOWN[folder])
        unknown = [name for name in unknown if name not in known]
    if not dry_run:
        taken = [taken_away(root / name) for name in unknown]
        await to_thread.run_sync(_remove, taken)
    return len(unknown)


async def _sweep_environments(house: House, *, dry_run: bool) -> int:
    """Remove those that were not used for long, and what was left half built."""
    folders = EnvironmentFolders(house.data_dir / "environments")
    unused = await to_thread.run_sync(folders.unused, house.environments_days)
    known = house.ledger.read(lambda books: books.known_environments()) if unused else set()
    names = [name for name in unused if key_of(name) not in known]
    if dry_run:
        return len(names)
    return await to_thread.run_sync(folders.remove, names, house.environments_days)


KNOWN: dict[str, Callable[[Books], set[str]]] = {
    "snapshots": lambda books: books.known_snapshots(),
    "scratch": lambda books: books.known_jobs(),
    "logs": lambda books: books.known_streams(),
}


SPARE = {"snapshots": timedelta(hours=1), "scratch": timedelta(0), "logs": timedelta(0)}


def _listed(root: Path, spare: timedelta) -> list[str]:
    """Folders older than that: a slot may be laying out younger ones for a run to come."""
    if not root.is_dir():
        return []
    before = time.time() - spare.total_seconds()
    return [entry.name for entry in root.iterdir() if entry.stat().st_mtime <= before]


def _remove(folders: Iterable[Path | None]) -> None:
    for folder in folders:
        if folder is not None:
            remove_tree(folder)  # the code of a run is laid out read-only
