"""Jobs that wait for a moment. Durations are counted on the monotonic clock, so that a clock set
back or forward neither delays nor hurries a retry while the owner lives."""

import heapq
from collections.abc import Awaitable, Callable
from datetime import timedelta

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

    def add(self, job: Job) -> None:
        """Time a job by its `not_before`; no longer than its own longest backoff from now."""
        if job.not_before is None:
            return
        wait = job.not_before - self._clock.now()
        longest = timedelta(seconds=job.execution.backoff_limit_seconds)
        seconds = max(0.0, min(wait, longest).total_seconds())
        heapq.heappush(self._heap, (self._clock.monotonic() + seconds, job.id))
        self._changed.set()

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
