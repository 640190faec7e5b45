"""Builds the house: the one place that knows every brand."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

import anyio
from starlette.types import ASGIApp

from treadle.api.http.audit_log import AuditLog
from treadle.api.http.gate import Gate
from treadle.api.http.life import Life
from treadle.api.http.state import House
from treadle.engine.local.engine import LocalEngine
from treadle.engine.local.options import LocalOptions
from treadle.engine.local.process_tree import total_cpus
from treadle.errors import NotFound
from treadle.interfaces import SystemClock
from treadle.model.ids import new_id
from treadle.model.records import Run
from treadle.scheduler import Scheduler, Site, Stores
from treadle.server.doors import Door
from treadle.server.owner_token import ensure_owner_token
from treadle.server.ownership import OwnerLock, OwnerSocket, mark_of, write_card
from treadle.server.serving import serving, trusted
from treadle.server.settings import Settings
from treadle.storage.blobs import open_blobs
from treadle.storage.blobs.local import LocalBlobs
from treadle.storage.ledger.sqlite import SqliteLedger
from treadle.storage.logs import LogStore
from treadle.storage.seal import FileSeal

LEDGER = "ledger.db"
log = logging.getLogger("treadle.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHouse:
    """A house at work."""

    scheduler: Scheduler
    app: ASGIApp
    socket: OwnerSocket
    life: Life

    def active_runs(self) -> list[Run]:
        """Runs that have not ended."""
        return self.scheduler.ledger.read(lambda books: books.unfinished_runs())


@asynccontextmanager
async def open_house(
    settings: Settings, lock: OwnerLock, door: Door | None = None
) -> AsyncIterator[OpenHouse]:
    """Everything that an owner needs, from the ground up; closed in the reverse order.

    lock: held for this data directory; released at the end. door: one more, open to others.
    """
    data_dir, fsync = settings.data_dir, settings.durability == "power"
    logging.getLogger("treadle").setLevel((settings.log_level or "warning").upper())
    async with AsyncExitStack() as stack:
        stack.callback(lock.release)
        clock = SystemClock()
        ledger = stack.enter_context(
            closing(SqliteLedger(data_dir / LEDGER, durability=settings.durability))
        )
        blobs = open_blobs(settings.blobs_address, fsync=fsync)
        logs = stack.enter_context(closing(LogStore(data_dir / "logs")))
        owner = new_id("own")
        site = Site(
            owner=owner,
            blobs=settings.blobs_address,
            scratch=str(data_dir / "scratch"),
            output_limit_bytes=settings.output_limit,
            seal=FileSeal(data_dir / "secrets.key"),
            fsync=fsync,
            queue_limit=settings.queue_limit,
        )
        engine = LocalEngine(engine_options(settings))
        scheduler = Scheduler(
            Stores(ledger=ledger, blobs=blobs, logs=logs), engine, site, clock=clock
        )
        await ledger.write(lambda books: books.add_owner(owner, os.getpid(), clock.now()))
        await stack.enter_async_context(_handing_back(scheduler))
        await stack.enter_async_context(engine)
        await stack.enter_async_context(_at_work(scheduler))
        if isinstance(blobs, LocalBlobs):
            blobs.sweep_temporary()  # nobody of an earlier owner is alive by now
        house = House(
            ledger=ledger,
            blobs=blobs,
            logs=logs,
            data_dir=data_dir,
            clock=clock,
            slots=engine.capacity().slots,
            busy=lambda: scheduler.busy_slots,
            scheduler=scheduler,
            owner=owner,
            request_limit=settings.request_limit,
            retention_days=settings.retention_days,
            environments_days=settings.environments_days,
            host=settings.host if door else "",
            allowed_hosts=_names_of(door, settings),
            allowed_origins=settings.allowed_origins,
            audit=stack.enter_context(closing(AuditLog(data_dir))),
            owner_token=ensure_owner_token(data_dir) if door else "",
            queue_limit=settings.queue_limit,
            ledger_bytes=lambda: _size_of_ledger(data_dir),
            life=Life(clock=clock, url=door.url if door else None),
        )
        app = Gate(house)
        socket = OwnerSocket(data_dir)
        stack.callback(socket.close)
        doors = [Door(socket=socket.socket, trusted=True), *([door] if door else [])]
        await stack.enter_async_context(serving(app, doors, house.traffic))
        house.life.start()
        stack.callback(house.life.stop, 0.0)
        write_card(data_dir, socket.path, clock.now(), url=house.life.url)
        yield OpenHouse(scheduler=scheduler, app=app, socket=socket, life=house.life)


def _size_of_ledger(data_dir: Path) -> int:
    """With its write-ahead log."""
    files = [data_dir / LEDGER, data_dir / f"{LEDGER}-wal"]
    return sum(each.stat().st_size for each in files if each.exists())


def _names_of(door: Door | None, settings: Settings) -> tuple[str, ...]:
    """Names that requests may call the server by: the settings', and this machine's own."""
    return (*settings.allowed_hosts, gethostname()) if door else settings.allowed_hosts


@asynccontextmanager
async def _handing_back(scheduler: Scheduler) -> AsyncIterator[None]:
    """At the end, when the engine has ended: what was leased goes back to the queue."""
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await scheduler.hand_back()


@asynccontextmanager
async def _at_work(scheduler: Scheduler) -> AsyncIterator[None]:
    """The scheduler recovers, then works until the end."""
    async with anyio.create_task_group() as life:
        await life.start(scheduler.run, name="scheduler")
        yield
        scheduler.stop_leasing()
        life.cancel_scope.cancel()


def engine_options(settings: Settings) -> LocalOptions:
    """Who asks for more slots than processors means it."""
    return LocalOptions(
        mark=mark_of(settings.data_dir),
        slots=settings.slots,
        cpus=max(total_cpus(), float(settings.slots)),
        jobs_per_slot=settings.slot_max_jobs,
        slot_age_seconds=settings.slot_max_age.total_seconds(),
        environments=settings.data_dir / "environments",
        preload=settings.preload,
    )


@asynccontextmanager
async def open_for_reading(settings: Settings) -> AsyncIterator[ASGIApp]:
    """The app over a data directory that nobody owns.

    Raises NotFound if there is none, Unavailable if it cannot be read.
    """
    path = settings.data_dir / LEDGER
    if not path.is_file():
        raise NotFound(
            f"There is nothing in the data directory {settings.data_dir} yet.",
            hint="`treadle run FILE` makes it, at the first run.",
        )
    with (
        closing(SqliteLedger(path, read_only=True)) as ledger,
        closing(LogStore(settings.data_dir / "logs")) as logs,
    ):
        house = House(
            ledger=ledger,
            blobs=open_blobs(settings.blobs_address),
            logs=logs,
            data_dir=settings.data_dir,
            clock=SystemClock(),
            request_limit=settings.request_limit,
        )
        yield trusted(Gate(house))
