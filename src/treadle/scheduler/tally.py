"""What moved, once it is committed: counted for the figures of the server, told to its log."""

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from treadle.model.records import Job, Run
from treadle.model.states import JOB_ENDS, RUN_ENDS, JobState, RunState

DURATIONS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 14400.0)  #: seconds
_TOLD = {
    JobState.RUNNING: "started",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.ABORTED: "aborted",
}
log = logging.getLogger("treadle.moves")


class Histogram:
    """How many values were at most each bound, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last is of those beyond all bounds
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Tally:
    """Of this owner, since it began."""

    def __init__(self) -> None:
        self.runs_ended: Counter[RunState] = Counter()
        self.jobs_ended: Counter[JobState] = Counter()
        self.job_seconds = Histogram(DURATIONS)  #: of the last attempt, from its start

    def take(self, moved: Iterable[Job | Run]) -> None:
        """What is committed. Jobs that were handed back and run again count when they end."""
        telling = log.isEnabledFor(logging.INFO)
        for each in moved:
            if isinstance(each, Run):
                self._take_run(each, telling)
            else:
                self._take_job(each, telling)

    def _take_run(self, run: Run, telling: bool) -> None:
        if run.state not in RUN_ENDS:
            return
        self.runs_ended[run.state] += 1
        if telling:
            why = f": {run.reason}" if run.reason else ""
            log.info(
                "run of %s %s%s",
                run.pipeline,
                run.state.value,
                why,
                extra={"run": run.id, "user": run.user},
            )

    def _take_job(self, job: Job, telling: bool) -> None:
        if job.state in JOB_ENDS:
            self.jobs_ended[job.state] += 1
            if job.started_at is not None and job.ended_at is not None:
                self.job_seconds.add((job.ended_at - job.started_at).total_seconds())
        if telling and job.state in _TOLD and job.attempt:  # thousands may end without a start
            _tell(job)


def _tell(job: Job) -> None:
    why = ""
    if job.state is JobState.FAILED and job.failure is not None:
        why = f": {job.failure.type.value}"  # the user's own words stay in the job's log
    log.info(
        "job %s %s%s",
        job.step,
        _TOLD[job.state],
        why,
        extra={"job": job.id, "run": job.run_id, "user": job.user},
    )
