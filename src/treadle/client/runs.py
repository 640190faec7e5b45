"""A run, as its user sees it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from treadle.client.board import Board
from treadle.client.display import snapshot
from treadle.client.door import Door
from treadle.client.following import Printed, followed
from treadle.client.steps import StepHandle
from treadle.client.values import composed, decoded, no_result
from treadle.client.views import view_of
from treadle.errors import Conflict, NotFound, TreadleError
from treadle.model.bindings import Binding, Output, Stored, leaves
from treadle.model.graph import nearest
from treadle.model.records import Event, Job, Metric
from treadle.model.records import Run as RunRecord
from treadle.model.states import JOB_ENDS, RUN_ENDS, RunState

if TYPE_CHECKING:
    from treadle.client.api import Api
    from treadle.client.details import RunDetail
    from treadle.client.following import Message

    Gathered = tuple[Binding | None, dict[Output | str, tuple[bytearray, str]]]


class Run:
    """One execution of a pipeline. `run["train"]` is its step of that name."""

    def __init__(self, door: Door, record: RunRecord) -> None:
        self._door, self.record = door, record
        self._jobs: dict[str, Job] = {}  # by step name, once asked for

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.record.parameters

    def refresh(self) -> RunRecord:
        """The run as it is now; asks no more once it has ended."""
        if self.record.state in RUN_ENDS:
            return self._door.known(self.record)
        return self._door(self._now)

    @property
    def state(self) -> RunState:
        """Where it is now."""
        if self.record.state in RUN_ENDS:
            return self._door.known(self.record.state)

        async def ask(api: "Api") -> RunState:
            return (await self._now(api)).state

        return self._door(ask)

    def wait(self, timeout: float | None = None) -> "Run":
        """Wait for the end, whatever it is; this run.

        timeout: seconds. Raises TimeoutError, or Conflict where nothing works on the run.
        """
        if self.record.state in RUN_ENDS:
            return self._door.known(self)

        async def ask(api: "Api") -> "Run":
            return await self._ended(api, timeout)

        return self._door(ask)

    def follow(self) -> "Run":
        """Show what happens and what the steps print, to the end; this run.

        In a notebook as a live table, on a terminal with a line that tells how far it is, else as
        lines. An interrupt ends the showing, not the run.
        """

        async def each(api: "Api") -> "AsyncIterator[Message]":
            async for message in followed(api, self.id):
                if not isinstance(message, Event | Printed):
                    self._learn(message)
                yield message

        return self._door.show(each, view_of(), self)

    def abort(self, *, grace_seconds: float | None = None) -> None:
        """Ask for the end: SIGTERM to what runs, SIGKILL after the grace."""

        async def ask(api: "Api") -> None:
            self.record = await api.abort(self.id, grace_seconds)

        return self._door(ask)

    def retry(self) -> "Run":
        """A new run of what did not complete."""

        async def again(api: "Api") -> "Run":
            return Run(self._door, await api.retry(self.id))

        return self._door(again)

    def delete(self) -> None:
        """Forget the ended run with its logs."""
        return self._door(lambda api: api.delete(self.id))

    # what it made

    @property
    def jobs(self) -> list[Job]:
        """One per step, in the order of the pipeline."""
        return self._door(self._all_jobs)

    @property
    def steps(self) -> list[StepHandle]:
        """One per step, in the order of the pipeline."""
        return self._door(self._handles)

    def __getitem__(self, step: str) -> StepHandle:
        """The step of a name; whether the run has it is asked with what is wanted of it."""

        async def find(api: "Api") -> Job:
            await self._all_jobs(api)
            return self._job_of(step)

        if self._jobs and self.record.state in RUN_ENDS:
            return StepHandle(self._door, self._job_of(step))
        return StepHandle(self._door, name=step, find=find)

    @property
    def output(self) -> Any:
        """What the pipeline returned, each step's result in its place.

        Raises JobError and the like where a step has no result.
        """
        return self._door(self._gathered, _composed)

    def raise_for_failure(self) -> "Run":
        """This run, if it completed. Raises the error of its first step that failed."""

        async def ask(api: "Api") -> "Run":
            if (await self._now(api)).state in RUN_ENDS - {RunState.COMPLETED}:
                jobs = sorted(await self._all_jobs(api), key=lambda job: job.failure is None)
                for error in filter(None, map(no_result, jobs)):
                    raise error
            return self

        return self._door(ask)

    def metrics(self) -> list[Metric]:
        """All that its steps logged, in order."""
        return self._door(lambda api: api.metrics(self.id))

    def events(self, *, follow: bool = True, after: int = 0) -> Iterator[Event]:
        """What happened, and with `follow` what happens until the end. after: an event's number."""

        async def each(api: "Api") -> AsyncIterator[Event]:
            async for batch in api.events(self.id, after=after, follow=follow):
                for event in batch:
                    yield event

        return self._door.pull(each)

    def logs(self, step: str | None = None, *, follow: bool = False) -> Iterator[bytes]:
        """What a step printed, as bytes in pieces; without a step, all, one after another."""
        if step is not None:
            return self[step].logs(follow=follow)

        async def each(api: "Api") -> AsyncIterator[bytes]:
            for job in await self._all_jobs(api):
                async for piece in api.log(job.id, follow=follow):
                    yield piece

        return self._door.pull(each)

    # in the link's loop

    async def _now(self, api: "Api") -> RunRecord:
        if self.record.state not in RUN_ENDS:
            self.record = await api.run(self.id)
        return self.record

    async def _ended(self, api: "Api", most_seconds: float | None = None) -> "Run":
        if self.record.state not in RUN_ENDS:
            self.record = await api.run_ended(self.id, most_seconds)
        if self.record.state in RUN_ENDS:
            return self
        if api.wire.link.read_only:
            raise Conflict(
                f"Run {self.id} is {self.record.state}, and nothing works on it now.",
                hint="It goes on with the next `treadle run` on this data directory.",
            )
        raise TimeoutError(f"Run {self.id} has not ended after {most_seconds} s.")

    async def ended_or_aborted(self, api: "Api") -> "Run":
        """Wait for the end in the link's loop; whoever cancels this has the run aborted."""
        import anyio  # noqa: PLC0415 - `import treadle` inside a step comes past here

        try:
            return await self._ended(api)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                try:
                    await api.abort(self.id)
                except TreadleError as error:  # it has ended, or the server has gone
                    api.wire.link.on_notice(f"Run {self.id} was not aborted: {error}")
            raise

    async def _all_jobs(self, api: "Api") -> list[Job]:
        if not self._jobs or self.record.state not in RUN_ENDS:
            self._learn(await api.run_detail(self.id))
        return list(self._jobs.values())

    def _learn(self, detail: "RunDetail") -> None:
        self.record = detail.run
        self._jobs = {job.step: job for job in detail.jobs}

    async def _handles(self, api: "Api") -> list[StepHandle]:
        return [StepHandle(self._door, job) for job in await self._all_jobs(api)]

    def _job_of(self, step: str) -> Job:
        if step in self._jobs:
            return self._jobs[step]
        raise NotFound(
            f"Run {self.id} has no step {step!r}.",
            hint=nearest(step, self._jobs) or f"It has {', '.join(list(self._jobs)[:10])}.",
        )

    async def _gathered(self, api: "Api") -> "Gathered":
        """What the pipeline returned, and the bytes that stand in it, each fetched once."""
        binding = (await self._now(api)).output
        found: dict[Output | str, tuple[bytearray, str]] = {}
        for leaf in () if binding is None else leaves(binding):
            if isinstance(leaf, Output) and leaf not in found:
                if not self._jobs or self._jobs[leaf.step].state not in JOB_ENDS:
                    await self._all_jobs(api)
                step = StepHandle(self._door, self._jobs[leaf.step])
                found[leaf] = await step.encoded(api, leaf.name)
            elif isinstance(leaf, Stored) and leaf.ref.digest not in found:
                found[leaf.ref.digest] = (await _bytes_of(api, leaf), leaf.ref.codec)
        return binding, found

    # how it looks

    def _ipython_key_completions_(self) -> list[str]:
        """The steps; where the caller would have to await, as far as they are known."""
        return [job.step for job in self.jobs] if self._door.blocks else list(self._jobs)

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.record.pipeline!r}: {self.record.state}>"

    def _repr_html_(self) -> str:
        """As it is now; where the caller would have to await, as far as it is known."""
        if self._door.blocks:
            self._door(self._all_jobs)
        return snapshot(Board(self.record, self._jobs.values(), ()))


async def _bytes_of(api: "Api", stored: Stored) -> bytearray:
    inline = stored.ref.inline
    return await api.blob(stored.ref.digest) if inline is None else bytearray(inline)


def _composed(gathered: "Gathered") -> Any:
    """Each value decoded where it stands."""
    binding, found = gathered
    if binding is None:
        return None
    return composed(
        binding,
        lambda output: decoded(*found[output]),
        lambda stored: decoded(*found[stored.ref.digest]),
    )
