"""What the routes work on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection

from treadle.api.http.audit_log import AuditLog
from treadle.api.http.feeds import Feeds
from treadle.api.http.life import Life
from treadle.api.http.meter import Meter
from treadle.api.http.operations import Operation
from treadle.api.http.traffic import Traffic
from treadle.errors import Unavailable
from treadle.interfaces import BlobStore, Clock, Ledger
from treadle.model.access import Principal, Requester
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
    host: str = ""  #: the name or address that a door was opened on
    allowed_hosts: tuple[str, ...] = ()  #: other names that the server answers to
    allowed_origins: tuple[str, ...] = ()  #: of web pages that may ask, besides its own
    owner_token: str = field(default="", repr=False)  #: "" = there is none
    audit: AuditLog | None = None  #: None: nothing is written here
    traffic: Traffic = field(default_factory=Traffic)
    ledger_bytes: Callable[[], int] = lambda: 0  #: on disk
    meter: Meter = field(default_factory=Meter)
    queue_limit: int = 0  #: jobs that have not ended; 0 = nothing is taken
    life: Life = field(default_factory=Life)
    feeds: Feeds = field(default_factory=Feeds)


def house_of(request: HTTPConnection) -> House:
    house: House = request.scope["state"]["house"]
    return house


def operation_of(request: HTTPConnection) -> Operation:
    """What is asked for, as the gate found it."""
    operation: Operation = request.scope["state"]["operation"]
    return operation


def principal_of(request: HTTPConnection) -> Principal:
    """Who asks, as the gate found out."""
    principal: Principal = request.scope["state"]["principal"]
    return principal


def requester_of(request: HTTPConnection) -> Requester:
    """For whom something is made, with the request's idempotency key."""
    requester: Requester = request.scope["state"]["requester"]
    return requester


def scheduler_of(request: HTTPConnection) -> Scheduler:
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
