"""A run, as its user sees it."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from treadle.client.display import run_table
from treadle.client.door import Door
from treadle.client.steps import StepHandle
from treadle.client.values import composed, decoded
from treadle.errors import Conflict, NotFound
from treadle.model.bindings import Output, Stored
from treadle.model.graph import nearest
from treadle.model.records import Event, Job, Metric
from treadle.model.records import Run as RunRecord
from treadle.model.states import JOB_GOOD_ENDS, RUN_ENDS, RunState


class Run:
    """One execution of a pipeline. `run["train"]` is its step of that name."""

    def __init__(self, door: Door, record: RunRecord) -> None:
        self._door, self.record = door, record
        self._jobs: dict[str, Job] = {}  # by step name; whole once the run has ended

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.record.parameters

    def refresh(self) -> RunRecord:
        """The run as it is now; asks no more once it has ended."""
        if self.record.state not in RUN_ENDS:
            self.record = self._door(lambda api: api.run(self.id))
        return self.record

    @property
    def state(self) -> RunState:
        """Where it is now."""
        return self.refresh().state

    def wait(self, timeout: float | None = None) -> "Run":
        """Wait for the end, whatever it is; this run.

        timeout: seconds. Raises TimeoutError, or Conflict where nothing works on the run.
        """
        if self.record.state not in RUN_ENDS:
            self.record = self._door(lambda api: api.run_ended(self.id, timeout))
        if self.record.state not in RUN_ENDS:
            if self._door.link.read_only:
                raise Conflict(
                    f"Run {self.id} is {self.record.state}, and nothing works on it now.",
                    hint="It goes on with the next `treadle run` on this data directory.",
                )
            raise TimeoutError(f"Run {self.id} has not ended after {timeout} s.")
        return self

    def abort(self, *, grace_seconds: float | None = None) -> None:
        """Ask for the end: SIGTERM to what runs, SIGKILL after the grace."""
        self.record = self._door(lambda api: api.abort(self.id, grace_seconds))

    def retry(self) -> "Run":
        """A new run of what did not complete."""
        return Run(self._door, self._door(lambda api: api.retry(self.id)))

    def delete(self) -> None:
        """Forget the ended run with its logs."""
        self._door(lambda api: api.delete(self.id))

    # what it made

    @property
    def jobs(self) -> list[Job]:
        """One per step, in the order of the pipeline."""
        if not self._jobs or self.record.state not in RUN_ENDS:
            detail = self._door(lambda api: api.run_detail(self.id))
            self.record = detail.run
            self._jobs = {job.step: job for job in detail.jobs}
        return list(self._jobs.values())

    @property
    def steps(self) -> list[StepHandle]:
        return [StepHandle(self._door, job) for job in self.jobs]

    def __getitem__(self, step: str) -> StepHandle:
        jobs = {job.step: job for job in self.jobs}
        if step not in jobs:
            raise NotFound(
                f"Run {self.id} has no step {step!r}.",
                hint=nearest(step, jobs) or f"It has {', '.join(list(jobs)[:10])}.",
            )
        return StepHandle(self._door, jobs[step])

    @property
    def output(self) -> Any:
        """What the pipeline returned, each step's result in its place.

        Raises JobError and the like where a step has no result.
        """
        binding = self.refresh().output
        if binding is None:
            return None
        return composed(binding, self._value_of, self._constant)

    def _value_of(self, output: Output) -> Any:
        return self[output.step].result(output.name)

    def _constant(self, stored: Stored) -> Any:
        inline = stored.ref.inline
        if inline is not None:
            return decoded(bytearray(inline), stored.ref.codec)
        data = self._door(lambda api: api.blob(stored.ref.digest))
        return decoded(data, stored.ref.codec)

    def raise_for_failure(self) -> "Run":
        """This run, if it completed. Raises the error of its first step that failed."""
        if self.state in RUN_ENDS and self.record.state is not RunState.COMPLETED:
            bad = [step for step in self.steps if step.state not in JOB_GOOD_ENDS]
            for step in sorted(bad, key=lambda step: step.failure is None):
                step.result()
        return self

    def metrics(self) -> list[Metric]:
        """All that its steps logged, in order."""
        return self._door(lambda api: api.metrics(self.id))

    def events(self, *, follow: bool = True, after: int = 0) -> Iterator[Event]:
        """What happened, and with `follow` what happens until the end. after: an event's number."""
        batches = self._door.pull(lambda api: api.events(self.id, after=after, follow=follow))
        return chain.from_iterable(batches)

    def logs(self, step: str | None = None, *, follow: bool = False) -> Iterator[bytes]:
        """What a step printed, as bytes in pieces; without a step, all, one after another."""
        if step is not None:
            return self[step].logs(follow=follow)
        return chain.from_iterable(each.logs(follow=follow) for each in self.steps)

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.record.pipeline!r}: {self.record.state}>"

    def _repr_html_(self) -> str:
        return run_table(self.refresh(), self.jobs)
