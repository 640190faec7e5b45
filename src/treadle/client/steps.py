"""A step of a run, as its user sees it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from treadle.client.door import Door
from treadle.client.values import decoded, no_result
from treadle.model.bindings import DEFAULT_OUTPUT
from treadle.model.records import Failure, Job, Metric
from treadle.model.states import JOB_ENDS, JobState


class StepHandle:
    """One step of one run: `run["train"]`."""

    def __init__(self, door: Door, job: Job) -> None:
        self._door, self._job = door, job

    @property
    def name(self) -> str:
        return self._job.step

    @property
    def job_id(self) -> str:
        return self._job.id

    def refresh(self) -> Job:
        """The job as it is now; asks no more once it has ended."""
        if self._job.state not in JOB_ENDS:
            self._job = self._door(lambda api: api.job(self.job_id)).job
        return self._job

    @property
    def state(self) -> JobState:
        return self.refresh().state

    @property
    def failure(self) -> Failure | None:
        """Why its last failed attempt failed."""
        return self.refresh().failure

    def wait(self) -> Job:
        """Wait for its end."""
        if self._job.state not in JOB_ENDS:
            self._job = self._door(lambda api: api.job_ended(self.job_id)).job
        return self._job

    def result(self, output: str = DEFAULT_OUTPUT, *, directory: Path | None = None) -> Any:
        """The value of an output, exactly as the step returned it.

        directory: where files and folders go; default a new temporary one. Raises JobError or
        WorkerDied with the step's own traceback, Aborted, Conflict while it has not ended, NotFound
        for an output that it does not have.
        """
        if error := no_result(self.refresh()):
            raise error
        data, codec, _ = self._door(lambda api: api.output(self.job_id, output))
        return decoded(data, codec, directory)

    def logs(
        self, *, follow: bool = False, attempt: int | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """What it printed, as bytes in pieces; the last attempt unless told otherwise."""
        return self._door.pull(
            lambda api: api.log(self.job_id, attempt=attempt, offset=offset, follow=follow)
        )

    def metrics(self) -> list[Metric]:
        """What it logged, in order."""
        run_id = self._job.run_id
        if run_id is None:
            return []
        found = self._door(lambda api: api.metrics(run_id))
        return [metric for metric in found if metric.job_id == self.job_id]

    def __repr__(self) -> str:
        return f"<step {self.name!r}: {self._job.state}>"
