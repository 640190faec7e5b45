"""A step of a run, as its user sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.client.door import Door
from treadle.client.values import decoded, no_result
from treadle.model.bindings import DEFAULT_OUTPUT
from treadle.model.records import Failure, Job, Metric
from treadle.model.states import JOB_ENDS, JobState

if TYPE_CHECKING:
    from treadle.client.api import Api

    Find = Callable[[Api], Awaitable[Job]]


class StepHandle:
    """One step of one run: `run["train"]`. Nothing is asked before something is wanted of it."""

    def __init__(
        self, door: Door, job: Job | None = None, *, name: str = "", find: "Find | None" = None
    ) -> None:
        """find: the job, where it is not known yet; it raises NotFound."""
        self._door, self._job, self._find = door, job, find
        self.name = job.step if job else name

    @property
    def job_id(self) -> str:
        """The id of its job. Raises NotFound if the run has no such step."""
        if self._job is not None:
            return self._door.known(self._job.id)

        async def ask(api: "Api") -> str:
            return (await self._found(api)).id

        return self._door(ask)

    def refresh(self) -> Job:
        """The job as it is now; asks no more once it has ended."""
        if self._job is not None and self._job.state in JOB_ENDS:
            return self._door.known(self._job)
        return self._door(self._now)

    @property
    def state(self) -> JobState:
        """Where it is now."""
        if self._job is not None and self._job.state in JOB_ENDS:
            return self._door.known(self._job.state)

        async def ask(api: "Api") -> JobState:
            return (await self._now(api)).state

        return self._door(ask)

    @property
    def failure(self) -> Failure | None:
        """Why its last failed attempt failed."""

        async def ask(api: "Api") -> Failure | None:
            return (await self._now(api)).failure

        return self._door(ask)

    def wait(self) -> Job:
        """Wait for its end."""
        if self._job is not None and self._job.state in JOB_ENDS:
            return self._door.known(self._job)

        async def ask(api: "Api") -> Job:
            if (await self._found(api)).state not in JOB_ENDS:
                self._job = (await api.job_ended((await self._found(api)).id)).job
            return await self._found(api)

        return self._door(ask)

    def result(self, output: str = DEFAULT_OUTPUT, *, directory: Path | None = None) -> Any:
        """The value of an output, exactly as the step returned it.

        directory: where files and folders go; default a new temporary one. Raises JobError or
        WorkerDied with the step's own traceback, Aborted, Conflict while it has not ended, NotFound
        for an output that it does not have.
        """

        async def ask(api: "Api") -> tuple[bytearray, str]:
            return await self.encoded(api, output)

        return self._door(ask, lambda found: decoded(found[0], found[1], directory))

    async def encoded(self, api: "Api", output: str) -> tuple[bytearray, str]:
        """(bytes, codec) of an output; raises as result()."""
        job = await self._now(api)
        if error := no_result(job):
            raise error
        data, codec, _ = await api.output(job.id, output)
        return data, codec

    def logs(
        self, *, follow: bool = False, attempt: int | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """What it printed, as bytes in pieces; the last attempt unless told otherwise."""

        async def each(api: "Api") -> AsyncIterator[bytes]:
            job_id = (await self._found(api)).id
            async for piece in api.log(job_id, attempt=attempt, offset=offset, follow=follow):
                yield piece

        return self._door.pull(each)

    def metrics(self) -> list[Metric]:
        """What it logged, in order."""

        async def ask(api: "Api") -> list[Metric]:
            job = await self._found(api)
            if job.run_id is None:
                return []
            return [m for m in await api.metrics(job.run_id) if m.job_id == job.id]

        return self._door(ask)

    async def _found(self, api: "Api") -> Job:
        """The job, as last heard of."""
        if self._job is None:
            assert self._find is not None
            self._job = await self._find(api)
        return self._job

    async def _now(self, api: "Api") -> Job:
        """The job as it is now."""
        if self._job is None:
            return await self._found(api)
        if self._job.state not in JOB_ENDS:
            self._job = (await api.job(self._job.id)).job
        return self._job

    def __repr__(self) -> str:
        return f"<step {self.name!r}: {self._job.state if self._job else 'not asked yet'}>"
