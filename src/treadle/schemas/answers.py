"""What the server answers, where it is no record of the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from treadle.model.access import Token
from treadle.model.groups import Group
from treadle.model.records import Event, Job, Run
from treadle.schemas.bodies import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong (RFC 9457). code is stable; hint says the next step."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    details: Mapping[str, Any] | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How many jobs can run at a time, and how many do."""

    total: int
    busy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How many jobs have not ended, and how many may at most."""

    unended_jobs: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and what they may do. token: its name; "" on the owner's socket."""

    user: str
    scopes: list[str]
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Who the server is, since when, and how busy. followers: of runs, jobs and logs."""

    status: Literal["ok", "read-only", "starting", "stopping"]
    version: str
    pid: int
    owner: str | None
    url: str | None
    uptime_seconds: float
    slots: Slots
    queue: Queue
    followers: int
    data_dir: str
    caller: Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """A blob that is there now."""

    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlobs:
    """Blobs that are there now, in the order they came."""

    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingBlobs:
    """Those that are not there."""

    missing: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSnapshot:
    """digest: of the snapshot; null until none of its blobs is missing."""

    digest: Digest | None
    missing: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSnapshot:
    """Whether it is there with all its files."""

    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsPage:
    """next: as `before` for the following page; null at the end."""

    groups: tuple[Group, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDetails:
    """Runs, oldest first; their jobs under way; when each run's first step started, by run id.

    next: as `before` for the following page; null at the end.
    """

    runs: tuple[Run, ...]
    active: tuple[Job, ...]
    began: Mapping[str, datetime]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsMessage:
    """One message over WebSocket."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeToken(Token):
    """A new token; its text is shown here and nowhere else."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Oldest first."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What was, or with dry_run would be, forgotten and removed."""

    dry_run: bool
    runs: int
    blobs: int
    bytes: int
    folders: int
    environments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One request. user, token: "" where nobody known asked. made: the Location of what it made.

    status: null when the answer never began. address: "" on the owner's socket.
    """

    id: str
    at: datetime
    user: str
    token: str
    address: str
    method: str
    path: str
    status: int | None
    made: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Newest first. next: as `before` for the following page; null at the end."""

    entries: tuple[AuditEntry, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """alive; or ok, or why it takes no work: starting, stopping, read-only."""

    status: str
