"""Every seam of the system on one page, each method with its contract for the implementer.

Longer than 500 lines because all seams are on one page.

| seam      | implementations                                       | contract suite             |
|-----------|-------------------------------------------------------|----------------------------|
| Engine    | engine.local, engine.memory (scripted, for tests)     | tests/contract/engine      |
| Runtime   | runtime.function, runtime.script                      | tests/contract/runtime     |
| Ledger    | storage.ledger.sqlite (a file, or ":memory:")         | tests/contract/ledger      |
| BlobStore | storage.blobs: local, memory, objects (S3, GCS, ...)  | tests/contract/blobs       |
| Clock     | SystemClock below; tests bring their own              | -                          |
| Seal      | storage.seal                                          | tests/storage/test_seal    |
"""

import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from treadle.model.access import Requester, Token
from treadle.model.bindings import Arguments
from treadle.model.catalogue import KnownPipeline, KnownTool, NamedPipeline, NamedTool
from treadle.model.groups import Group
from treadle.model.orders import AttemptKey, Note, Order, Report
from treadle.model.records import Attempt, Event, Job, Metric, Pipeline, Run, Tool
from treadle.model.refs import Ref
from treadle.model.states import JobEvent, RunEvent

T = TypeVar("T")


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC time that never goes back while the process lives."""
        ...

    def monotonic(self) -> float:
        """Seconds for measuring durations."""
        ...


class SystemClock:
    """Wall time, held still while the machine's clock is set back."""

    def __init__(self) -> None:
        self._latest = 0.0

    def now(self) -> datetime:
        self._latest = max(self._latest, time.time())
        return datetime.fromtimestamp(self._latest, UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What an engine has in all."""

    slots: int  #: jobs at a time
    cpus: float
    memory_bytes: int
    gpus: int = 0


class Engine(AbstractAsyncContextManager["Engine"], Protocol):
    """WHERE jobs run. Entering starts it; leaving ends every process it started."""

    def capacity(self) -> Capacity:
        """What the engine has in all; constant while it lives."""
        ...

    def start(self, order: Order) -> None:
        """Take the order over and return at once; all else is told by notes.

        An order that cannot be carried out ends with an Ended note, never with an exception.
        The caller starts no more than fits the capacity, but a slot still being cleared may
        delay the start.
        """
        ...

    def abort(self, attempt: AttemptKey, *, grace_seconds: float) -> None:
        """Ask for the attempt's end: SIGTERM to its tree, SIGKILL after the grace.

        Ended(report.outcome="aborted") follows when nothing of it is alive. Unknown or ended
        attempts are ignored; a second call with a shorter grace shortens it.
        """
        ...

    async def adopt(self, attempts: Collection[AttemptKey]) -> set[AttemptKey]:
        """Of attempts started by an earlier owner, those still alive and now ours to follow.

        What is not returned is proven gone when this returns. Called once, before any start.
        """
        ...

    def notes(self) -> AsyncIterator[Sequence[Note]]:
        """The one stream of notes, in batches; bounded: when it is full the jobs block.

        Per attempt: perhaps Delayed and Printed (what a build says), then Started, then Printed /
        Measured / Progressed, then Ended, numbered from 1.
        """
        ...


class Seal(Protocol):
    """Keeps secrets out of the ledger's clear text."""

    def seal(self, text: str) -> bytes: ...

    def open(self, sealed: bytes) -> str:
        """Raises Unavailable if it was sealed with another key."""
        ...


class Channel(Protocol):
    """What a runtime tells while it performs; safe to call from any thread of the job."""

    def started(self) -> None: ...

    def metric(self, name: str, value: float, step: int | None) -> None: ...

    def progress(self, done: float, total: float | None) -> None: ...


class Runtime(Protocol):
    """HOW one kind of job runs, inside the worker process."""

    def perform(self, order: Order, channel: Channel) -> Report:
        """Carry out the order. Never raises for what the user's code does.

        Calls channel.started() once, right before the user's code. Outputs are written to the
        order's blob store before this returns. KeyboardInterrupt, SystemExit and os._exit of the
        user's code: the first two are failures of type user (SystemExit(0) completes with None).
        """
        ...


class BlobStore(Protocol):
    """Immutable bytes by BLAKE3 digest. Thread-safe."""

    def put(self, parts: Iterable[bytes | memoryview]) -> tuple[str, int]:
        """Store the concatenated parts; return (digest, size in bytes).

        Visible only when whole. Putting again is harmless and renews the age.
        Raises StorageFull (disk full), Unavailable.
        """
        ...

    def open(self, digest: str, *, verify: bool = False) -> memoryview:
        """All bytes of the blob, mapped where the store is local; the view owns its mapping.

        verify: hash first and raise DamagedBlob if they do not match (a remote store always
        does). Raises MissingBlob.
        """
        ...

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from start up to stop, or the end, in pieces; few of them in memory at once.

        Of a whole blob the last piece comes only when all were found right: a damaged one breaks
        off with DamagedBlob. Not so if it was found right before, as with `check`, and a part is
        taken as it is. What is being read may be deleted meanwhile. Raises MissingBlob at the
        first piece. Close it if you leave early.
        """
        ...

    def check(self, digest: str) -> None:
        """Raise DamagedBlob unless the bytes match. What was found right is hashed again only
        after it changed, as far as the store can tell. Raises MissingBlob.
        """
        ...

    def has(self, digest: str) -> bool:
        """Whether the blob is there. Asking renews its age, as far as the store can."""
        ...

    def size(self, digest: str) -> int:
        """Size in bytes. Raises MissingBlob."""
        ...

    def delete(self, digest: str, *, put_before: datetime | None = None) -> bool:
        """Forget the blob; a missing one is fine. False if it stays.

        put_before: let it stay if it was put, or its age renewed, at that time or later.
        """
        ...

    def list(self) -> Iterator[tuple[str, int, datetime]]:
        """(digest, size in bytes, when last put) of every blob, in no order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list, and in which order: when they were created or, of those that have ended,
    when they ended; the newest first unless `oldest_first`."""

    states: tuple[str, ...] = ()  #: in one of these; in any if there are none
    pipeline: str | None = None
    labels: tuple[tuple[str, str], ...] = ()  #: with all of these
    user: str | None = None
    since: datetime | None = None  #: created then or later; to the millisecond, as their ids tell
    until: datetime | None = None  #: created before
    sort: Literal["created", "ended"] = "created"
    oldest_first: bool = False
    before: str | None = None  #: the run, there or not, behind which the page begins, in its order
    before_ended_at: datetime | None = None  #: when that run ended; needed where ends are sorted
    limit: int = 50


class Head(NamedTuple):
    """The first job in a user's queue."""

    user: str
    priority: int
    job_id: str


class Books(Protocol):
    """The ledger's statements, valid inside one ledger.write or ledger.read. They never commit.

    Moves are compare-and-set on (state, attempt, owner) of `before`, write their event in the
    same transaction and return the record after; they raise UnlawfulMove or StaleMove. What is
    not there raises NotFound.
    """

    # definitions
    def add_tools(self, tools: Iterable[Tool], at: datetime) -> None:
        """The same definition again is no change."""
        ...

    def tool(self, tool_id: str) -> Tool: ...
    def tool_named(self, name: str, version: str | None = None) -> Tool:
        """The one added last of this name, or of this name and version."""
        ...

    def tool_names(self, *, prefix: str, after: str, limit: int) -> list[NamedTool]:
        """By name: those that begin with the prefix and come after that one."""
        ...

    def tools_of_name(
        self, name: str, *, before: tuple[datetime, str] | None, limit: int
    ) -> list[KnownTool]:
        """The newest first. before: when one was added, and its id; those behind it."""
        ...

    def tool_of_version(self, name: str, version: str) -> KnownTool:
        """The newest of that version, or the one of that id."""
        ...

    def add_pipeline(self, pipeline: Pipeline, at: datetime) -> None: ...
    def pipeline_names(self, *, prefix: str, after: str, limit: int) -> list[NamedPipeline]:
        """By name: those that begin with the prefix and come after that one."""
        ...

    def pipelines_of_name(
        self, name: str, *, before: tuple[datetime, str] | None, limit: int
    ) -> list[KnownPipeline]:
        """The newest first. before: when one was added, and its version; those behind it."""
        ...

    def pipeline_of_version(self, name: str, version: str) -> KnownPipeline: ...
    def last_run_of_version(self, name: str, version: str) -> str | None:
        """Its id."""
        ...

    def add_snapshot(self, digest: str, files: Collection[str], at: datetime) -> None:
        """Remember which blobs a bundle's manifest names."""
        ...

    def renew_snapshot(self, digest: str, at: datetime) -> bool:
        """Whether the snapshot is known, and so all of its blobs there; its age begins anew."""
        ...

    # runs
    def add_run(self, run: Run) -> None: ...
    def add_secrets(self, run_id: str, sealed: Mapping[str, bytes]) -> None: ...
    def secrets_of(self, run_id: str) -> dict[str, bytes]: ...
    def run(self, run_id: str) -> Run: ...
    def runs(self, query: RunFilter) -> list[Run]:
        """A page of the list. Lists leave out each run's `output`."""
        ...

    def groups(self, *, before: str | None = None, limit: int = 50) -> list[Group]:
        """A page of the groups of runs, newest first. before: a group's `newest`."""
        ...

    def active_in_group(self, name: str, *, first: str, last: str) -> list[Job]:
        """Jobs under way of the group's runs between two of them."""
        ...

    def began_in_group(self, name: str, *, first: str, last: str) -> dict[str, datetime]:
        """When the first step of each run between two of them started, by run id."""
        ...

    def unfinished_runs(self) -> list[Run]: ...
    def waiting_runs(self, pipeline: str, limit: int) -> list[Run]:
        """Those that a limit holds back, in the order in which they may go."""
        ...

    def count_active(self, pipeline: str) -> int:
        """Runs of the pipeline that count against its limit."""
        ...

    def ended_runs_before(self, moment: datetime, limit: int) -> list[str]: ...
    def move_run(self, before: Run, event: RunEvent, at: datetime, **changes: Any) -> Run: ...
    def delete_run(self, run_id: str, at: datetime) -> None:
        """Forget the run; of its diary only the line `run.deleted` stays."""
        ...

    # jobs
    def calls(
        self, *, states: Collection[str], user: str | None, before: str | None, limit: int
    ) -> tuple[list[Job], str | None]:
        """(jobs without a run, the newest first; behind which to look on, None at the end).

        It looks at so many that it is quick, and may find none among them.
        """
        ...

    def jobs_of_run(
        self, run_id: str, *, states: Collection[str], user: str | None, after: int, limit: int
    ) -> list[Job]:
        """Those behind a position, in the order of the steps."""
        ...

    def add_jobs(
        self, jobs: Sequence[tuple[Job, Arguments]], edges: Sequence[tuple[str, str]]
    ) -> None:
        """edges: (parent job, child job)."""
        ...

    def job(self, job_id: str) -> Job: ...
    def arguments_of(self, job_id: str) -> Arguments: ...
    def arguments_in_run(self, run_id: str) -> dict[str, Arguments]: ...
    def jobs_of(self, run_id: str) -> list[Job]: ...
    def edges_of(self, run_id: str) -> list[tuple[str, str]]: ...
    def move_job(self, before: Job, event: JobEvent, at: datetime, **changes: Any) -> Job:
        """LEASED begins an attempt, whose end `close_attempt` writes."""
        ...

    def explain(self, job: Job, reason: str, at: datetime) -> None:
        """Give a job that is being prepared this reason for waiting."""
        ...

    def explain_too_large(self, capacity: Capacity, reason: str) -> None:
        """Give queued jobs that ask for more than there is in all this reason for waiting."""
        ...

    def users_in_queue(self) -> list[str]: ...
    def heads_of_queue(self) -> list[Head]:
        """Of each user who has a job in the queue, the first."""
        ...

    def queued_jobs(self, user: str, room: Capacity, limit: int) -> list[Job]:
        """The head of a user's queue, of what fits the room: higher priority first, then older."""
        ...

    def count_queued(self) -> dict[str, int]:
        """Queued jobs by user; reads the whole queue, a million jobs in some 0.05 s."""
        ...

    def count_unended_jobs(self) -> int:
        """Of all runs and calls; looks at each run that has not ended."""
        ...

    def leased_jobs(self) -> list[Job]: ...
    def jobs_backing_off(self) -> list[Job]: ...
    def unended_calls(self) -> list[Job]: ...
    def close_attempt(self, job: Job, end: str, at: datetime, report: Report | None = None) -> None:
        """Write how the attempt ended. job: as it was while leased. Twice is an error."""
        ...

    def promote_children(self, parent: Job, reason: str, at: datetime) -> list[Job]:
        """Count this parent off its children; the event READY for those that wait for no other,
        which are returned."""
        ...

    def waiting_descendants(self, job: Job) -> list[Job]: ...
    def move_unowned(
        self, jobs: Sequence[tuple[Job, str]], event: JobEvent, at: datetime
    ) -> list[Job]:
        """Move many jobs that nobody owns and that wait for no moment, each with its reason."""
        ...

    def count_down(self, job: Job, *, failed: bool = False, jobs: int = 1) -> int:
        """Count an ended job, and others with it, off its run; return how many are left."""
        ...

    def delete_old_calls(self, moment: datetime) -> int: ...

    # what attempts said
    def add_outputs(self, job: Job, outputs: Mapping[str, Ref]) -> None: ...
    def copy_outputs(self, jobs: Sequence[tuple[str, str]]) -> None:
        """Give jobs what others put out: (from, to)."""
        ...

    def outputs_of(self, job_id: str) -> dict[str, Ref]: ...
    def inputs_of(self, job_id: str) -> dict[tuple[str, str], Ref]:
        """Outputs of the job's parents by (step, output name)."""
        ...

    def add_metrics(self, metrics: Sequence[Metric]) -> None: ...
    def metrics_of(
        self, run_or_job_id: str, after: int = 0, *, last: int | None = None
    ) -> list[Metric]:
        """In order, after an id. last: of a job, at most so many, the latest."""
        ...

    def last_metrics_of(self, run_id: str) -> list[Metric]:
        """The last value of each metric of each job, in the order of the steps."""
        ...

    def metrics_page(
        self, job_id: str, *, name: str | None, after: int, limit: int
    ) -> list[Metric]:
        """Of one job behind an id, in order."""
        ...

    def last_metrics_of_job(self, job_id: str) -> list[Metric]:
        """The last value of each."""
        ...

    def set_progress(self, job_id: str, done: float, total: float | None) -> None: ...
    def attempts_of(self, job_id: str) -> list[Attempt]:
        """In order; the one under way last."""
        ...

    # the diary
    def add_event(
        self, stream: str, kind: str, at: datetime, job_id: str | None, data: Mapping[str, Any]
    ) -> None: ...
    def events(self, *, stream: str | None, after: int, limit: int) -> list[Event]:
        """Of one stream after a number, or of all after a cursor; in order."""
        ...

    def last_event(self, stream: str | None) -> int:
        """The number of the stream's last event, or the cursor of the last of all; 0 for none."""
        ...

    # who may ask, and what was made for whom
    def add_token(self, token: Token, hash: bytes) -> None:
        """Raises Conflict if a token that holds has this name."""
        ...

    def tokens(self) -> list[Token]:
        """All, revoked and expired ones too; oldest first."""
        ...

    def find_token(self, token_id: str) -> tuple[Token, bytes] | None:
        """The token and its hash."""
        ...

    def revoke_token(self, token_id: str, at: datetime) -> None: ...
    def touch_token(self, token_id: str, at: datetime) -> None:
        """Remember that it was used."""
        ...

    def claimed(self, by: Requester) -> str | None:
        """What an earlier request with this key made: the id of a run or job.

        Raises KeyReused if that request asked for something else.
        """
        ...

    def claim(self, by: Requester, made: str, at: datetime) -> None:
        """Remember what the request with this key made; nothing without a key."""
        ...

    def delete_old_claims(self, moment: datetime) -> int: ...

    # upkeep
    def add_owner(self, owner: str, pid: int, at: datetime) -> None: ...
    def ids_from(self, prefix: str, limit: int) -> list[str]:
        """Ids of runs and jobs that start with the prefix."""
        ...

    def latest_run(self) -> str | None: ...
    def referenced_digests(self) -> set[str]:
        """Every blob that something in the ledger still names."""
        ...

    def known_streams(self) -> set[str]: ...
    def known_jobs(self) -> set[str]: ...
    def known_snapshots(self) -> set[str]: ...
    def known_environments(self) -> set[str]:
        """Keys of those that jobs which have not ended are to run in."""
        ...

    def delete_unused_definitions(self, moment: datetime) -> None:
        """Tools and snapshots added before the moment that no job is pinned to."""
        ...


class Ledger(Protocol):
    """What happened. One owner writes; anybody may read."""

    async def write(self, fn: Callable[[Books], T]) -> T:
        """Run fn in the loop's thread and return what it returned, committed.

        Functions of one loop turn share a transaction, a savepoint each: what one raises rolls
        back its own work only. fn never awaits. Raises StorageFull when the disk is full: then
        nothing of the transaction happened.
        """
        ...

    def read(self, fn: Callable[[Books], T]) -> T:
        """Run fn on a consistent view, at once; for indexed queries of few rows."""
        ...

    async def read_long(self, fn: Callable[[Books], T]) -> T:
        """Run fn on a consistent view in a thread: it may look at every row there is.

        The loop goes on meanwhile, so what fn finds may be the past when this returns.
        """
        ...

    def close(self) -> None: ...
