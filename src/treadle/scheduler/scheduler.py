"""The scheduler: submit, dispatch, settle, recover. It moves jobs; engines run them.

All leasing and settling happens in `_turn`, one at a time: notes are settled, dependents promoted
and free room leased in one transaction; only when that is committed are orders started, aborts
sent and followers told.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import anyio
import anyio.abc

from treadle.errors import Conflict, InvalidRequest, MissingBlob, StorageFull
from treadle.interfaces import BlobStore, Books, Clock, Engine, Ledger, SystemClock
from treadle.model.bindings import Arguments, Stored, leaves
from treadle.model.ids import new_id
from treadle.model.orders import AttemptKey, Note, Order, Printed
from treadle.model.records import Job, Run, Submission, Tool
from treadle.model.states import (
    JOB_ENDS,
    JOB_GOOD_ENDS,
    RUN_ENDS,
    JobState,
    RunState,
)
from treadle.scheduler.dispatch import Dispatcher, Site, room_left
from treadle.scheduler.plan import hold_back, plan, plan_retry, refuse_too_large
from treadle.scheduler.settle import Flight, Flights, Settlement
from treadle.scheduler.timetable import Timetable
from treadle.scheduler.watch import Change, Watch
from treadle.storage.logs import LogStore

T = TypeVar("T")
FULL_DISK_PAUSE_SECONDS = 1.0
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
        self._capacity = engine.capacity()
        self._dispatcher = Dispatcher(site, self._capacity)
        self._timetable = Timetable(self.clock, self._due)
        self._flights: Flights = {}
        self._grace: dict[str, float] = {}  # run or job id -> what its abort asked for
        self._turns = asyncio.Lock()
        self._wake = anyio.Event()
        self._leasing = True

    @property
    def busy_slots(self) -> int:
        return len(self._flights)

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
            task_status.started()

    async def hand_back(self) -> None:
        """After the engine has ended: what was leased goes back to the queue, free of charge."""
        self._leasing = False

        def give_back(books: Books) -> Settlement:
            settlement = self._settlement(books)
            for job in books.leased_jobs():
                settlement.lose(job, free=True)
            return settlement

        async with self._turns:
            await self.ledger.write(give_back)
            self._flights.clear()

    def stop_leasing(self) -> None:
        """Start nothing new from now on."""
        self._leasing = False

    async def _recover(self) -> None:
        at = self.clock.now()
        leased = self.ledger.read(lambda books: books.leased_jobs())
        keys = {AttemptKey(job.id, job.attempt): job for job in leased}
        alive = await self.engine.adopt(keys.keys())

        def recover(books: Books) -> Settlement:
            settlement = self._settlement(books)
            for key, job in keys.items():
                if key not in alive:
                    settlement.lose(job)
            for run in books.unfinished_runs():
                if run.jobs_left == 0:
                    settlement.finish(run)
            return settlement

        settlement = await self.ledger.write(recover)
        for key in alive:
            self._flights[key] = Flight(keys[key])
        if keys:
            log.info("recovered %d leased jobs, %d of them alive", len(keys), len(alive))
        for job in self.ledger.read(lambda books: books.jobs_backing_off()):
            self._timetable.resume(job)
        self._after(settlement)
        log.debug("recovered in %s", self.clock.now() - at)

    async def _listen(self) -> None:
        async for notes in self.engine.notes():
            self._write_logs(notes)
            await self._turn(notes)

    async def _dispatch(self) -> None:
        while True:
            self._wake = anyio.Event()
            await self._turn(())
            await self._wake.wait()

    async def _turn(self, notes: Sequence[Note]) -> None:
        async with self._turns:
            while True:
                try:
                    turn = await self.ledger.write(lambda books: self._decide(books, notes))
                    break
                except StorageFull as error:
                    log.error("cannot record what happened, will try again: %s", error)
                    await anyio.sleep(FULL_DISK_PAUSE_SECONDS)
            self._carry_out(turn)

    def _decide(self, books: Books, notes: Sequence[Note]) -> Turn:
        settlement = self._settlement(books)
        settlement.take(notes)
        if not self._leasing:
            return Turn(settlement, ())
        over = set(settlement.landed)
        flying = {key: flight for key, flight in self._flights.items() if key not in over}
        leased = self._dispatcher.lease(
            books, room_left(self._capacity, flying), settlement.at, self.clock.monotonic()
        )
        for job, _ in leased:
            settlement.changes[Change(job.stream, "event", job.id)] = None
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
        for job in settlement.aborts:
            grace = self._grace.get(job.stream, job.execution.grace_seconds)
            self.engine.abort(AttemptKey(job.id, job.attempt), grace_seconds=grace)
        for job, wait_seconds in settlement.backoffs:
            self._timetable.add(job.id, wait_seconds)
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
            except StorageFull as error:
                log.error("output of %s is dropped: %s", note.attempt, error)

    async def _due(self, job_ids: list[str]) -> None:
        def ready(books: Books) -> Settlement:
            settlement = self._settlement(books)
            for job_id in job_ids:
                job = books.job(job_id)
                if job.state is JobState.WAITING and job.not_before is not None:
                    settlement.ready(job)
            return settlement

        await self._write(ready)

    # ---- verbs

    def _settlement(self, books: Books) -> Settlement:
        return Settlement(books, self._flights, self.clock.now())

    async def _write(self, fn: Callable[[Books], Settlement]) -> None:
        self._after(await self.ledger.write(fn))
        self._wake.set()

    async def submit(self, submission: Submission) -> Run:
        """Accept a run; when this returns it survives the death of the process.

        Raises InvalidDefinition, TooLarge, MissingBlob (code or constants not uploaded).
        """
        planned = plan(submission, self._capacity, self.clock.now())
        self._require_blobs(submission.pipeline.tools, [arguments for _, arguments in planned.jobs])
        pipeline = submission.pipeline

        def add(books: Books) -> Run:
            books.add_tools(pipeline.tools, planned.run.created_at)
            books.add_pipeline(pipeline, planned.run.created_at)
            limit = pipeline.concurrency
            final = planned
            if limit is not None and books.count_active(pipeline.name) >= limit:
                final = hold_back(planned)
            books.add_run(final.run)
            books.add_jobs(final.jobs, final.edges)
            if not final.jobs:
                self._settlement(books).finish(final.run)
            return books.run(final.run.id)

        run = await self.ledger.write(add)
        self._announce(run.id)
        return run

    async def call(self, tool: Tool, arguments: Arguments, *, priority: int = 0) -> Job:
        """Accept a job without a run. Raises TooLarge, MissingBlob."""
        refuse_too_large(tool.name, tool.execution, self._capacity)
        self._require_blobs([tool], [arguments])
        job = Job(
            id=new_id("job"),
            run_id=None,
            step=tool.name,
            tool_id=tool.id,
            state=JobState.QUEUED,
            execution=tool.execution,
            created_at=self.clock.now(),
            priority=priority,
            reason="slot",
        )

        def add(books: Books) -> None:
            books.add_tools([tool], job.created_at)
            books.add_jobs([(job, arguments)], [])
            books.add_event(job.id, "job.created", job.created_at, job.id, {"step": job.step})

        await self.ledger.write(add)
        self._announce(job.id)
        return job

    async def abort(self, run_or_job_id: str, *, grace_seconds: float | None = None) -> None:
        """Ask for the end of a run, or of a call. An ended one raises Conflict.

        Asking again is harmless, and may shorten the grace.
        """
        if grace_seconds is not None:
            self._grace[run_or_job_id] = grace_seconds

        def abort_run(books: Books) -> Settlement:
            settlement = self._settlement(books)
            run = books.run(run_or_job_id)
            if run.state in RUN_ENDS:
                raise Conflict(f"Run {run.id} has already {_ended(run.state)}.")
            if run.state is RunState.ABORTING:
                settlement.aborts += [
                    job for job in books.jobs_of(run.id) if job.state is JobState.ABORTING
                ]
            else:
                settlement.abort_run(run)
            return settlement

        def abort_call(books: Books) -> Settlement:
            settlement = self._settlement(books)
            job = books.job(run_or_job_id)
            if job.run_id is not None:
                raise InvalidRequest(
                    f"Job {job.id} belongs to a run.", hint=f"Abort the run {job.run_id}."
                )
            if job.state in JOB_ENDS:
                raise Conflict(f"Job {job.id} has already {_ended(job.state)}.")
            if job.state is JobState.ABORTING:
                settlement.aborts.append(job)
            else:
                settlement.abort_call(job)
            return settlement

        await self._write(abort_run if run_or_job_id.startswith("run_") else abort_call)

    async def retry(self, run_id: str) -> Run:
        """Start an ended run once more; steps that completed are reused. Returns the new run.

        Raises Conflict if it has not ended, or has completed.
        """

        def again(books: Books) -> tuple[Run, Settlement]:
            old = books.run(run_id)
            if old.state not in RUN_ENDS or old.state is RunState.COMPLETED:
                raise Conflict(f"Run {run_id} is {old.state}; there is nothing to retry.")
            jobs = books.jobs_of(run_id)
            planned, ids = plan_retry(
                old,
                jobs,
                books.arguments_in_run(run_id),
                books.edges_of(run_id),
                self.clock.now(),
            )
            limit = old.concurrency
            held = limit is not None and books.count_active(old.pipeline) >= limit
            if held:
                planned = hold_back(planned)
            books.add_run(planned.run)
            books.add_jobs(planned.jobs, planned.edges)
            settlement = self._settlement(books)
            for job in jobs:
                if job.state in JOB_GOOD_ENDS:
                    settlement.reuse(books.job(ids[job.id]), job)
            for job in books.jobs_of(planned.run.id):
                if job.state is JobState.WAITING and job.parents_left == 0 and not held:
                    settlement.ready(job)
            return books.run(planned.run.id), settlement

        run, settlement = await self.ledger.write(again)
        self._after(settlement)
        self._announce(run.id)
        return run

    async def delete(self, run_id: str) -> None:
        """Forget an ended run and its logs. Raises Conflict while it is under way."""

        def delete(books: Books) -> list[Job]:
            run = books.run(run_id)
            if run.state not in RUN_ENDS:
                raise Conflict(
                    f"Run {run_id} is {run.state}.", hint=f"Abort it first: treadle abort {run_id}"
                )
            jobs = books.jobs_of(run_id)
            books.delete_run(run_id)
            return jobs

        await self.ledger.write(delete)
        self.logs.remove(run_id)

    async def forget_old(self, older_than: timedelta) -> int:
        """Delete runs and calls that ended longer ago than this; return how many runs."""
        moment = self.clock.now() - older_than
        gone = 0
        while ids := self.ledger.read(lambda books: books.ended_runs_before(moment, 100)):
            for run_id in ids:
                await self.delete(run_id)
            gone += len(ids)
        await self.ledger.write(lambda books: books.delete_old_calls(moment))
        return gone

    async def wait(self, run_or_job_id: str, *, timeout_seconds: float | None = None) -> bool:
        """Wait until the run, or the call, has ended. False if the time was over first."""
        job = None
        if run_or_job_id.startswith("job_"):
            job = self.ledger.read(lambda books: books.job(run_or_job_id))
        with self.watch.subscribe(job.stream if job else run_or_job_id) as changes:
            with anyio.move_on_after(timeout_seconds):
                while not self._has_ended(run_or_job_id):
                    while not _may_end(await changes.changes(), job):
                        pass
                return True
        return self._has_ended(run_or_job_id)

    def _has_ended(self, run_or_job_id: str) -> bool:
        def ended(books: Books) -> bool:
            if run_or_job_id.startswith("job_"):
                return books.job(run_or_job_id).state in JOB_ENDS
            return books.run(run_or_job_id).state in RUN_ENDS

        return self.ledger.read(ended)

    def _announce(self, stream: str) -> None:
        self.watch.publish([Change(stream, "event")])
        self._wake.set()

    def _require_blobs(self, tools: Sequence[Tool], arguments: Sequence[Arguments]) -> None:
        wanted = {tool.code.digest for tool in tools if tool.code.digest}
        wanted |= {
            leaf.ref.digest
            for each in arguments
            for binding in each.values()
            for leaf in leaves(binding)
            if isinstance(leaf, Stored) and leaf.ref.inline is None
        }
        missing = [digest for digest in wanted if not self.blobs.has(digest)]
        if missing:
            raise MissingBlob(
                f"{len(missing)} blobs that this names are not stored, first {missing[0]}.",
                hint="Upload them before submitting.",
            )


def _may_end(changes: Sequence[Change], call: Job | None) -> bool:
    """True if one of these is a move of the run itself, or of the call."""
    return any(change.kind == "event" and (call or change.job_id is None) for change in changes)


def _ended(state: JobState | RunState) -> str:
    return f"ended: it is {state}"
