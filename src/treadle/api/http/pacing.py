"""When followers are told: at once after a silence, and then not too often."""

import asyncio
from collections.abc import Callable


class Bell:
    """Wakes the one task that waits for it; ringing again before it looks is harmless."""

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return when it has been rung since the last time; others have their turn before."""
        if self._rung:
            await asyncio.sleep(0)
        else:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._rung = False


class Pacer:
    """Calls act when asked: at once, but not before its pause after the last time is over.

    pause: seconds, asked after each act.
    """

    __slots__ = ("_act", "_due", "_free_at", "_loop", "_pause", "_timer")

    def __init__(self, act: Callable[[], None], pause: Callable[[], float]) -> None:
        self._act, self._pause = act, pause
        self._loop = asyncio.get_running_loop()
        self._free_at = self._due = 0.0
        self._timer: asyncio.Handle | None = None

    def ask(self, *, urgent: bool = False) -> None:
        """urgent: do not wait for the pause's end."""
        now = self._loop.time()
        self._ask_at(now if urgent else max(now, self._free_at))

    def ask_after(self, seconds: float) -> None:
        self._ask_at(self._loop.time() + seconds)

    def _ask_at(self, due: float) -> None:
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_at(due, self._call)

    def _call(self) -> None:
        self._timer = None
        self._act()
        self._free_at = self._loop.time() + self._pause()

    def close(self) -> None:
        """Forget what was asked."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
