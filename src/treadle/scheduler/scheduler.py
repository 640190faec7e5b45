"""The scheduler: submit, dispatch, settle, recover. It moves jobs; engines run them.

All leasing and settling happens in `_turn`, one at a time: notes are settled, dependents promoted
and free room leased in one transaction; only when that is committed are orders started, aborts
sent and followers told.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import anyio
import anyio.abc
from anyio import to_thread

from treadle.errors import Conflict, NotFound, StorageFull, Unavailable
from treadle.interfaces import BlobStore, Books, Clock, Engine, Ledger, SystemClock
from treadle.model.access import THE_OWNERS_REQUEST, Requester
from treadle.model.bindings import Arguments
from treadle.model.ids import new_id
from treadle.model.orders import AttemptKey, Note, Order, Printed
from treadle.model.records import Job, Run, Submission, Tool
from treadle.model.states import (
    JOB_ENDS,
    RUN_ENDS,
    JobState,
)
from treadle.scheduler import scratch
from treadle.scheduler.abort import request_abort
from treadle.scheduler.backlog import Backlog
from treadle.scheduler.claims import Look, M, a_job, a_run, made_before, make_once
from treadle.scheduler.dispatch import Dispatcher, Site
from treadle.scheduler.plan import Plan, plan, refuse_impossible
from treadle.scheduler.recover import hand_back, recover
from treadle.scheduler.settle import Flight, Flights, Settlement
from treadle.scheduler.submit import (
    accept_call,
    accept_retry,
    accept_run,
    require_blobs,
    require_secrets,
)
from treadle.scheduler.tally import Tally
from treadle.scheduler.timetable import Timetable
from treadle.scheduler.watch import Change, Watch
from treadle.storage.logs import LogStore

T = TypeVar("T")
FULL_DISK_PAUSE_SECONDS = 1.0
TOLD_EVERY = 60  #: tries
LOCKED_PATIENCE_SECONDS = 60.0  #: with another program that locks the ledger
CALLS_KEPT = timedelta(hours=24)  #: jobs without a run, what they put out, and idempotency keys
FORGET_SECONDS = 3600.0
LONG_RUN = 500  #: steps
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What the scheduler keeps things in."""

    ledger: Ledger
    blobs: BlobStore
    logs: LogStore


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done once a turn is committed."""

    settlement: Settlement
    leased: Sequence[tuple[Job, Order]]


class Scheduler:
    """Moves runs and jobs for one owner. `run()` is its life; the other verbs work while it runs.

    site: what all orders have in common; its owner id must be new at each start.
    """

    def __init__(
        self, stores: Stores, engine: Engine, site: Site, *, clock: Clock | None = None
    ) -> None:
        self.ledger, self.blobs, self.logs = stores.ledger, stores.blobs, stores.logs
        self.engine, self.site = engine, site
        self.clock: Clock = clock or SystemClock()
        self.watch = Watch()
        self.tally = Tally()
        self._capacity = engine.capacity()
        self._dispatcher = Dispatcher(site, self._capacity)
        self._timetable = Timetable(self.clock, self._due)
        self._backlog = Backlog(site.queue_limit)
        self._flights: Flights = {}
        self._turns = asyncio.Lock()
        self._wake = anyio.Event()
        self._leasing = True

    @property
    def busy_slots(self) -> int:
        return len(self._flights)

    def jobs_underway(self) -> Counter[JobState]:
        """How many are leased, by state."""
        return Counter(flight.job.state for flight in self._flights.values())

    @property
    def unended_jobs(self) -> int:
        """Of all runs and calls."""
        return self._backlog.count

    # ---- life

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Recover, then work until cancelled. Ready (task_status) when recovered."""
        await self._recover()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, name="notes")
            tasks.start_soon(self._dispatch, name="dispatch")
            tasks.start_soon(self._timetable.run, name="timetable")
            tasks.start_soon(self._forget_old_calls, name="forget old calls")
            task_status.started()

    async def hand_back(self) -> None:
        """After the engine has ended: what was leased goes back to the queue, free of charge."""
        self._leasing = False
        async with self._turns:
            try:
                await self._settle(hand_back)
            except Unavailable as error:  # the next owner finds it leased, and takes it for lost
                log.error("cannot record what is handed back: %s", error)
            self._flights.clear()

    def stop_leasing(self) -> None:
        """Start nothing new from now on."""
        self._leasing = False

    async def _recover(self) -> None:
        leased = self.ledger.read(lambda books: books.leased_jobs())
        keys = {AttemptKey(job.id, job.attempt): job for job in leased}
        alive = await self.engine.adopt(keys.keys())
        self._flights.update({key: Flight(keys[key]) for key in alive})
        if keys:
            log.info("recovering %d leased jobs, %d of them alive", len(keys), len(alive))
        self._backlog.count = self.ledger.read(lambda books: books.count_unended_jobs())
        await self._settle(lambda settlement: recover(settlement, alive, self._capacity))
        for job in self.ledger.read(lambda books: books.jobs_backing_off()):
            self._timetable.resume(job)

    async def _listen(self) -> None:
        async for notes in self.engine.notes():
            self._write_logs(notes)
            await self._turn(notes)

    async def _forget_old_calls(self) -> None:
        def forget(books: Books) -> None:
            moment = self.clock.now() - CALLS_KEPT
            books.delete_old_calls(moment)
            books.delete_old_claims(moment)

        while True:
            try:
                await self.ledger.write(forget)
            except Unavailable as error:
                log.warning("old calls stay for now: %s", error)
            await anyio.sleep(FORGET_SECONDS)

    async def _dispatch(self) -> None:
        while True:
            self._wake = anyio.Event()
            await self._turn(())
            await self._wake.wait()

    async def _turn(self, notes: Sequence[Note]) -> None:
        async with self._turns:
            turn = await self._patiently(
                lambda: self.ledger.write(lambda books: self._decide(books, notes))
            )
            self._carry_out(turn)

    async def _patiently(self, write: Callable[[], Awaitable[T]]) -> T:
        """Again while the disk is full, and for some time while somebody locks the ledger."""
        give_up = self.clock.monotonic() + LOCKED_PATIENCE_SECONDS
        for tries in itertools.count():
            try:
                return await write()
            except Unavailable as error:
                if not isinstance(error, StorageFull) and self.clock.monotonic() > give_up:
                    raise
                if tries % TOLD_EVERY == 0:
                    log.error(
                        "cannot record what happened, and tries again until it can: %s", error
                    )
            await anyio.sleep(FULL_DISK_PAUSE_SECONDS)
        raise AssertionError("it tries for ever")

    def _decide(self, books: Books, notes: Sequence[Note]) -> Turn:
        settlement = self._settlement(books)
        settlement.take(notes)
        if not self._leasing:
            return Turn(settlement, ())
        over = set(settlement.landed)
        flying = [flight for key, flight in self._flights.items() if key not in over]
        found = self._dispatcher.lease(books, flying, settlement.at, self.clock.monotonic())
        leased: list[tuple[Job, Order]] = []
        for job, order in found:
            if isinstance(order, Order):
                settlement.changes[Change(job.stream, "event", job.id)] = None
                leased.append((job, order))
            else:
                settlement.fail(job, order)
                self._wake.set()  # its end may let others start
        return Turn(settlement, leased)

    def _carry_out(self, turn: Turn) -> None:
        settlement = turn.settlement
        self._flights.update(settlement.seen)
        for key in settlement.landed:
            self._flights.pop(key, None)
        for job, order in turn.leased:
            self._flights[order.attempt] = Flight(job)
            self.engine.start(order)
        self._after(settlement)

    def _after(self, settlement: Settlement) -> None:
        self._backlog.moved(added=settlement.added, ended=len(settlement.ended))
        for job in settlement.aborts:
            grace = settlement.grace_seconds
            self.engine.abort(
                AttemptKey(job.id, job.attempt),
                grace_seconds=job.execution.grace_seconds if grace is None else grace,
            )
        for job, wait_seconds in settlement.backoffs:
            self._timetable.add(job.id, wait_seconds)
        scratch.clear(self.site.scratch, settlement.ended)
        self.tally.take(settlement.moved)
        self.watch.publish(settlement.changes)

    def _write_logs(self, notes: Sequence[Note]) -> None:
        """Before the notes are settled, so that an ended job's log is whole."""
        written: dict[AttemptKey, int] = {}
        for note in notes:
            if not isinstance(note, Printed) or note.attempt not in self._flights:
                continue
            flight = self._flights[note.attempt]
            if note.number <= written.get(note.attempt, flight.last_note):
                continue
            written[note.attempt] = note.number
            try:
                self.logs.append(
                    flight.job.stream, note.attempt.job_id, note.attempt.number, note.data
                )
            except Unavailable as error:  # StorageFull too
                log.error("output of %s is dropped: %s", note.attempt, error)

    async def _due(self, job_ids: list[str]) -> None:
        def ready(settlement: Settlement) -> None:
            for job_id in job_ids:
                with contextlib.suppress(NotFound):  # deleted, its run aborted meanwhile
                    job = settlement.books.job(job_id)
                    if job.state is JobState.WAITING and job.not_before is not None:
                        settlement.ready(job)

        await self._patiently(lambda: self._settle(ready))

    # ---- verbs

    def _settlement(self, books: Books) -> Settlement:
        return Settlement(books, self._flights, self.clock.now())

    async def _settle(self, decide: Callable[[Settlement], T]) -> T:
        """Write what decide moves; when it is committed, carry out what follows from it."""

        def write(books: Books) -> tuple[Settlement, T]:
            settlement = self._settlement(books)
            return settlement, decide(settlement)

        with anyio.CancelScope(shield=True):  # a caller who leaves may not take these with him
            settlement, result = await self.ledger.write(write)
        self._after(settlement)
        self._wake.set()
        return result

    async def _accept(
        self, by: Requester, jobs: int, look: Look[M], make: Callable[[Settlement], M]
    ) -> M:
        """Write what make makes, once for each idempotency key, if there is room in the queue."""
        with self._backlog.adding(jobs):
            return await self._settle(lambda settled: make_once(settled, by, look, make))

    async def _planned(self, submission: Submission, user: str) -> Plan:
        """Laid out; what is long elsewhere, so that the loop goes on meanwhile."""
        given = submission, user, self._capacity, self.clock.now()
        if len(submission.pipeline.steps) < LONG_RUN:
            return plan(*given)
        return await to_thread.run_sync(plan, *given)

    def run_made_for(self, by: Requester) -> Run | None:
        """What a request with this idempotency key has made, as it is now.

        Raises KeyReused if that one asked for something else, Conflict if it was deleted since.
        """
        return self.ledger.read(lambda books: made_before(books, by, a_run)) if by.key else None

    async def submit(self, submission: Submission, *, by: Requester = THE_OWNERS_REQUEST) -> Run:
        """Accept a run; when this returns it survives the death of the process.

        Raises InvalidDefinition, InvalidParameters, TooLarge, MissingBlob (code or constants not
        uploaded), Busy (too many jobs have not ended), KeyReused.
        """
        if (earlier := self.run_made_for(by)) is not None:
            return earlier
        pipeline = submission.pipeline
        require_secrets(pipeline.tools, submission.secrets)
        planned = await self._planned(submission, by.user)
        require_blobs(self.blobs, pipeline.tools, [arguments for _, arguments in planned.jobs])
        sealed = {key: self.site.seal.seal(text) for key, text in submission.secrets.items()}

        def make(settlement: Settlement) -> Run:
            return accept_run(settlement, pipeline, planned, sealed)

        run = await self._accept(by, len(planned.jobs), a_run, make)
        self.watch.publish([Change(run.id, "event")])
        return run

    async def call(
        self,
        tool: Tool,
        arguments: Arguments,
        *,
        priority: int = 0,
        by: Requester = THE_OWNERS_REQUEST,
    ) -> Job:
        """Accept a job without a run.

        Raises InvalidParameters, TooLarge, MissingBlob, Busy (too many jobs have not ended),
        KeyReused.
        """
        if by.key and (earlier := self.ledger.read(lambda b: made_before(b, by, a_job))):
            return earlier
        require_secrets([tool], ())
        refuse_impossible(tool.name, tool.execution, self._capacity)
        require_blobs(self.blobs, [tool], [arguments])
        new = Job(
            id=new_id("job"),
            run_id=None,
            step=tool.name,
            tool_id=tool.id,
            state=JobState.QUEUED,
            execution=tool.execution,
            created_at=self.clock.now(),
            user=by.user,
            priority=priority,
            reason="slot",
        )

        def make(settlement: Settlement) -> Job:
            return accept_call(settlement, tool, new, arguments)

        job = await self._accept(by, 1, a_job, make)
        self.watch.publish([Change(job.id, "event", job.id)])
        return job

    async def abort(self, run_or_job_id: str, *, grace_seconds: float | None = None) -> None:
        """Ask for the end of a run, or of a call. An ended one raises Conflict.

        Asking again is harmless, and may shorten the grace.
        """

        def abort(settlement: Settlement) -> None:
            settlement.grace_seconds = grace_seconds
            request_abort(settlement, run_or_job_id)

        await self._settle(abort)

    async def retry(self, run_id: str, *, by: Requester = THE_OWNERS_REQUEST) -> Run:
        """Start an ended run once more; steps that completed are reused. Returns the new run.

        Raises Conflict if it has not ended, or has completed; Busy (too many jobs have not
        ended), KeyReused.
        """
        if (earlier := self.run_made_for(by)) is not None:
            return earlier
        jobs = self.ledger.read(lambda books: books.run(run_id)).jobs_total

        def make(settlement: Settlement) -> Run:
            return accept_retry(settlement, run_id, by.user)

        run = await self._accept(by, jobs, a_run, make)
        self.watch.publish([Change(run.id, "event")])
        return run

    async def delete(self, run_id: str) -> None:
        """Forget an ended run and its logs. Raises Conflict while it is under way."""

        def delete(books: Books) -> None:
            run = books.run(run_id)
            if run.state not in RUN_ENDS:
                raise Conflict(
                    f"Run {run_id} is {run.state}.", hint=f"Abort it first: treadle abort {run_id}"
                )
            books.delete_run(run_id, self.clock.now())

        await self.ledger.write(delete)
        await to_thread.run_sync(self.logs.remove, run_id)
        self.watch.publish([Change(run_id, "event")])

    async def forget_old(self, older_than: timedelta) -> int:
        """Delete runs and calls that ended longer ago than this; return how many runs."""
        moment = self.clock.now() - older_than
        gone = 0
        while ids := self.ledger.read(lambda books: books.ended_runs_before(moment, 100)):
            for run_id in ids:
                with contextlib.suppress(NotFound):  # somebody else was faster
                    await self.delete(run_id)
            gone += len(ids)
        await self.ledger.write(lambda books: books.delete_old_calls(moment))
        return gone

    async def wait(self, run_or_job_id: str, *, timeout_seconds: float | None = None) -> bool:
        """Wait until the run, or the call, has ended. False if the time was over first."""
        stream = run_or_job_id
        if run_or_job_id.startswith("job_"):
            stream = self.ledger.read(lambda books: books.job(run_or_job_id)).stream
        with (
            self.watch.subscribe(stream, only=run_or_job_id) as moves,
            anyio.move_on_after(timeout_seconds),
        ):
            while not self._has_ended(run_or_job_id):
                await moves.changes()
            return True
        return self._has_ended(run_or_job_id)

    def _has_ended(self, run_or_job_id: str) -> bool:
        def ended(books: Books) -> bool:
            if run_or_job_id.startswith("job_"):
                return books.job(run_or_job_id).state in JOB_ENDS
            return books.run(run_or_job_id).state in RUN_ENDS

        return self.ledger.read(ended)
