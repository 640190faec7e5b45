"""What the routes work on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from treadle.api.http.traffic import Traffic
from treadle.errors import Unavailable
from treadle.interfaces import BlobStore, Clock, Ledger
from treadle.scheduler import Scheduler
from treadle.storage.logs import LogStore


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One data directory, opened. scheduler: None when nobody owns it and it is only read."""

    ledger: Ledger
    blobs: BlobStore
    logs: LogStore
    data_dir: Path
    clock: Clock
    slots: int = 0
    busy: Callable[[], int] = lambda: 0
    scheduler: Scheduler | None = None
    owner: str | None = None
    request_limit: int = 256 * 2**20
    retention_days: float | None = None
    environments_days: float | None = None
    traffic: Traffic = field(default_factory=Traffic)


def house_of(request: Request) -> House:
    house: House = request.app.state.house
    return house


def scheduler_of(request: Request) -> Scheduler:
    """The scheduler.

    Raises Unavailable when the data directory has no owner.
    """
    scheduler = house_of(request).scheduler
    if scheduler is None:
        raise Unavailable(
            "Nothing is running on this data directory, so it can only be read.",
            hint="`treadle run` or a Python client that runs something becomes its owner.",
        )
    return scheduler
