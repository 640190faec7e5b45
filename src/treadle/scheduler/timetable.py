"""Jobs that wait for a moment. Durations are counted on the monotonic clock, so that a clock set
back or forward neither delays nor hurries a retry while the owner lives."""

import heapq
from collections.abc import Awaitable, Callable

import anyio

from treadle.interfaces import Clock
from treadle.model.records import Job

Due = Callable[[list[str]], Awaitable[None]]


class Timetable:
    """Calls `due(job ids)` when their moment has come."""

    def __init__(self, clock: Clock, due: Due) -> None:
        self._clock, self._due = clock, due
        self._heap: list[tuple[float, str]] = []
        self._changed = anyio.Event()

    def add(self, job_id: str, wait_seconds: float) -> None:
        """Time a job from now."""
        heapq.heappush(self._heap, (self._clock.monotonic() + wait_seconds, job_id))
        self._changed.set()

    def resume(self, job: Job) -> None:
        """Time a job that an earlier owner left waiting; no longer than its longest backoff."""
        if job.not_before is not None:
            wait = (job.not_before - self._clock.now()).total_seconds()
            self.add(job.id, max(0.0, min(wait, job.execution.backoff_limit_seconds)))

    async def run(self) -> None:
        """Live until cancelled."""
        while True:
            self._changed = anyio.Event()
            if not self._heap:
                await self._changed.wait()
                continue
            wait = self._heap[0][0] - self._clock.monotonic()
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._changed.wait()
                continue
            await self._due(self._take_due())

    def _take_due(self) -> list[str]:
        now, ids = self._clock.monotonic(), []
        while self._heap and self._heap[0][0] <= now:
            ids.append(heapq.heappop(self._heap)[1])
        return ids
