"""What came of it: notes of engines become moves in the ledger.

One Settlement lives as long as one transaction. It writes through the books and collects what is
to be done once that is committed: aborts to send, retries to time, followers to tell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from treadle.errors import StaleMove
from treadle.interfaces import Books
from treadle.model.orders import (
    AttemptKey,
    Delayed,
    Ended,
    Measured,
    Note,
    Printed,
    Progressed,
    Report,
    Started,
)
from treadle.model.records import Failure, FailureType, Job, Metric, Run
from treadle.model.states import (
    JOB_ENDS,
    JOB_LEASED,
    RUN_ENDS,
    JobEvent,
    JobState,
    RunEvent,
    RunState,
)
from treadle.scheduler.watch import Change

UNSTARTED = (JobState.WAITING, JobState.QUEUED)
LOSSES_FORGIVEN = 3
DOUBLINGS = 60  #: of a backoff; more overflow a float, and any limit is reached long before
COUNTERS = range(-(2**63), 2**63)  #: what a ledger keeps of a metric's `step`


@dataclass(slots=True)
class Flight:
    """A leased attempt: its job as last seen, and the number of the last note settled."""

    job: Job
    last_note: int = 0


Flights = dict[AttemptKey, Flight]


@dataclass(slots=True)
class Settlement:
    """One transaction's worth of moves. `flights` is read; what changes is in the fields below."""

    books: Books
    flights: Flights
    at: datetime
    changes: dict[Change, None] = field(default_factory=dict)
    landed: list[AttemptKey] = field(default_factory=list)  #: over, one way or another
    seen: dict[AttemptKey, Flight] = field(default_factory=dict)  #: flights as they are now
    aborts: list[Job] = field(default_factory=list)  #: leased jobs whose end was asked for
    grace_seconds: float | None = None  #: of these aborts; None: as each job says
    added: int = 0  #: jobs that are new
    ended: list[str] = field(default_factory=list)  #: ids of jobs that are over
    moved: list[Job | Run] = field(default_factory=list)  #: in order, as they are after each move
    backoffs: list[tuple[Job, float]] = field(default_factory=list)  #: and seconds to wait

    # ---- notes

    def take(self, notes: Iterable[Note]) -> None:
        """Settle a batch of notes; those of unknown attempts or seen before are passed over."""
        metrics: list[Metric] = []
        progress: dict[str, Progressed] = {}
        for note in notes:
            flight = self._flight(note.attempt)
            if flight is None or note.number <= flight.last_note or note.attempt in self.landed:
                continue
            flight.last_note = note.number
            if isinstance(note, Measured):
                metrics.append(_metric(note, self.at))
                self._tell(flight.job, "metrics")
            elif isinstance(note, Progressed):
                progress[flight.job.id] = note
                self._tell(flight.job, "progress")
            elif isinstance(note, Printed):
                self._tell(flight.job, "output")
            else:
                self._moved(flight, note)
        if metrics:
            kept = [m for m in metrics if m.step is None or m.step in COUNTERS]
            self.books.add_metrics(kept)
        for job_id, latest in progress.items():
            self.books.set_progress(job_id, latest.done, latest.total)

    def _flight(self, key: AttemptKey) -> Flight | None:
        if key not in self.seen:
            known = self.flights.get(key)
            if known is None:
                return None
            self.seen[key] = Flight(known.job, known.last_note)
        return self.seen[key]

    def _moved(self, flight: Flight, note: Delayed | Started | Ended) -> None:
        if isinstance(note, Delayed):
            self._delayed(flight, note.reason)
        elif isinstance(note, Started):
            self._started(flight)
        else:
            self._ended(flight, note.report)
            self.landed.append(note.attempt)

    def _delayed(self, flight: Flight, reason: str) -> None:
        if flight.job.state is JobState.PREPARING:
            self.books.explain(flight.job, reason, self.at)
            flight.job = replace(flight.job, reason=reason)
            self._tell(flight.job, "event")

    def _started(self, flight: Flight) -> None:
        if flight.job.state is not JobState.PREPARING:  # said again, as of an adopted attempt
            return
        try:
            flight.job = self._move(flight.job, JobEvent.STARTED, started_at=self.at, reason="")
        except StaleMove:  # an abort was asked for in the meantime
            flight.job = self.books.job(flight.job.id)

    def _ended(self, flight: Flight, report: Report) -> None:
        try:
            flight.job = self._settle(flight.job, report)
        except StaleMove:
            flight.job = self._settle(self.books.job(flight.job.id), report)

    def _settle(self, job: Job, report: Report) -> Job:
        if job.state is JobState.ABORTING:
            return self._end(job, JobEvent.GONE, "aborted", report)
        if job.state is JobState.PREPARING and report.outcome == "completed":
            job = self._move(job, JobEvent.STARTED, started_at=self.at, reason="")
        if report.outcome == "completed":
            done = self._end(job, JobEvent.COMPLETED, "completed", report)
            self.books.add_outputs(done, report.outputs)
            return done
        if report.outcome == "failed" and report.failure is not None:
            return self._failed(job, report, report.failure)
        return self.lose(job, report)

    def _failed(self, job: Job, report: Report, failure: Failure) -> Job:
        asks = job.execution
        if job.failures < asks.retries and failure.type in asks.retry_on:
            doubled = asks.backoff_seconds * 2.0 ** min(job.failures, DOUBLINGS)
            wait = min(doubled, asks.backoff_limit_seconds)
            waiting = self._move(
                job,
                JobEvent.RETRIED,
                owner=None,
                failures=job.failures + 1,
                failure=failure,
                reason="backoff",
                not_before=self.at + timedelta(seconds=wait),
            )
            self.books.close_attempt(job, "failed", self.at, report)
            self.backoffs.append((waiting, wait))
            return waiting
        return self._end(job, JobEvent.FAILED, "failed", report, failure=failure)

    def lose(self, job: Job, report: Report | None = None, *, free: bool = False) -> Job:
        """Its surroundings died: queue it again, free of charge, a few times.

        free: handed back in good order; does not count.
        """
        if job.state is JobState.ABORTING:
            return self._end(job, JobEvent.GONE, "aborted", report)
        losses = job.losses + (not free)
        if losses > LOSSES_FORGIVEN or (job.execution.on_lost == "fail" and not free):
            failure = Failure(
                type=FailureType.LOST,
                message=f"lost {losses} times with the process that ran it",
                hint="Look at what else died on this machine; `treadle retry` starts it again.",
            )
            return self._end(job, JobEvent.FAILED, "lost", report, failure=failure, losses=losses)
        queued = self._move(job, JobEvent.LOST, owner=None, losses=losses, reason="slot")
        self.books.close_attempt(job, "lost", self.at, report)
        return queued

    # ---- jobs

    def _move(self, job: Job, event: JobEvent, **changes: object) -> Job:
        after = self.books.move_job(job, event, self.at, **changes)
        self.moved.append(after)
        self._tell(after, "event")
        if after.state in JOB_ENDS:
            self.ended.append(after.id)
        return after

    def _tell(self, job: Job, kind: str) -> None:
        self.changes[Change(job.stream, kind, job.id)] = None  # type: ignore[arg-type]

    def _end(
        self, job: Job, event: JobEvent, end: str, report: Report | None, **changes: object
    ) -> Job:
        ended = self._move(job, event, **{"reason": "", **changes})
        self.books.close_attempt(job, end, self.at, report)
        self._follow_up(ended)
        return ended

    def _follow_up(self, ended: Job) -> None:
        """Its dependents, its run, and the runs that wait behind it."""
        if ended.run_id is None:
            return
        if ended.state is JobState.COMPLETED:
            for child in self.books.promote_children(ended, "slot", self.at):
                self._tell(child, "event")
        elif ended.state is JobState.FAILED:
            self._skip_dependents(ended)
            if self.books.run(ended.run_id).fail_fast:
                self._stop_the_rest(ended)
        self._count_down(ended)

    def _skip_dependents(self, failed: Job) -> None:
        reason = f"{failed.step} failed"
        waiting = self.books.waiting_descendants(failed)
        self._end_unstarted([(job, reason) for job in waiting], JobEvent.SKIPPED)

    def _stop_the_rest(self, failed: Job) -> None:
        reason = f"{failed.step} failed (fail fast)"
        jobs = self.books.jobs_of(failed.run_id or "")
        unstarted = [(job, reason) for job in jobs if job.state in UNSTARTED]
        self._end_unstarted(unstarted, JobEvent.SKIPPED)
        for job in jobs:
            if job.state in (JobState.PREPARING, JobState.RUNNING):
                self._request_abort(job)

    def _end_unstarted(self, jobs: Sequence[tuple[Job, str]], event: JobEvent) -> None:
        """Jobs of one run that wait or are queued, with the reason of each: all at once."""
        ended = self._move_unowned(jobs, event)
        self.ended += [job.id for job in ended]
        if ended and self.books.count_down(ended[-1], jobs=len(ended)) == 0:
            self.finish(self.books.run(ended[-1].run_id or ""))

    def _move_unowned(self, jobs: Sequence[tuple[Job, str]], event: JobEvent) -> list[Job]:
        moved = self.books.move_unowned(jobs, event, self.at)
        self.moved += moved
        for job in moved:
            self._tell(job, "event")
        return moved

    def _request_abort(self, job: Job) -> None:
        after = self._move(job, JobEvent.ABORT_REQUESTED)
        if after.state is JobState.ABORTING:
            self.aborts.append(after)
        else:
            self._count_down(after)

    def reuse(self, jobs: Sequence[tuple[Job, Job]]) -> None:
        """Earlier jobs' outputs serve these of one run, which wait: (earlier, job)."""
        self.books.copy_outputs([(earlier.id, job.id) for earlier, job in jobs])
        self._end_unstarted([(job, f"from {earlier.id}") for earlier, job in jobs], JobEvent.REUSED)

    def fail(self, job: Job, failure: Failure) -> None:
        """The leased job cannot be started, now or later."""
        report = Report(outcome="failed", failure=failure)
        self._end(job, JobEvent.FAILED, "failed", report, failure=failure)

    def ready(self, job: Job) -> None:
        """Nothing holds the waiting job back any more."""
        self._move(job, JobEvent.READY, reason="slot", not_before=None)

    # ---- runs

    def _count_down(self, ended: Job) -> None:
        if ended.run_id is None:
            return
        failed = ended.state is JobState.FAILED
        if self.books.count_down(ended, failed=failed) == 0:
            self.finish(self.books.run(ended.run_id))

    def finish(self, run: Run) -> None:
        """All jobs of the run have ended."""
        if run.state in RUN_ENDS:
            return
        if run.state is RunState.ABORTING:
            event, reason = RunEvent.GONE, run.reason
        elif run.jobs_failed:
            event, reason = RunEvent.FAILED, f"{run.jobs_failed} of {run.jobs_total} steps failed"
        else:
            event, reason = RunEvent.COMPLETED, ""
        self._move_run(run, event, reason=reason)
        self._admit_next(run)

    def _move_run(self, run: Run, event: RunEvent, **changes: object) -> Run:
        after = self.books.move_run(run, event, self.at, **changes)
        self.moved.append(after)
        self.changes[Change(run.id, "event")] = None
        return after

    def _admit_next(self, ended: Run) -> None:
        while waiting := self.books.waiting_runs(ended.pipeline, 1):
            if self.books.count_active(ended.pipeline) >= (waiting[0].concurrency or 1):
                return
            run = self._move_run(waiting[0], RunEvent.ADMITTED, started_at=self.at, reason="")
            held = [job for job in self.books.jobs_of(run.id) if job.state is JobState.WAITING]
            ready = [(job, "slot") for job in held if job.parents_left == 0]
            self._move_unowned(ready, JobEvent.READY)

    def abort_run(self, run: Run) -> Run:
        """Ask for the run's end. What never started ends now; the rest when it is gone."""
        after = self._move_run(run, RunEvent.ABORT_REQUESTED, reason="abort requested")
        jobs = self.books.jobs_of(run.id)
        for job in jobs:
            if job.state is JobState.ABORTING:
                self.aborts.append(job)
            elif job.state in JOB_LEASED:
                self._request_abort(job)
        unstarted = [(job, job.reason) for job in jobs if job.state in UNSTARTED]
        self._end_unstarted(unstarted, JobEvent.ABORT_REQUESTED)
        if after.state in RUN_ENDS:
            self._admit_next(after)
        return self.books.run(run.id)

    def abort_call(self, job: Job) -> Job:
        """Ask for the end of a job that has no run."""
        self._request_abort(job)
        return self.books.job(job.id)


def _metric(note: Measured, at: datetime) -> Metric:
    return Metric(
        job_id=note.attempt.job_id,
        attempt=note.attempt.number,
        name=note.name,
        value=note.value,
        step=note.step,
        at=at,
    )
