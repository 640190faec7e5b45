"""Trying again: pauses that double, with jitter, until patience is over."""

import math
import random
import time

import anyio

FIRST_SECONDS, LONGEST_SECONDS = 0.1, 5.0


class Backoff:
    """The pauses of one thing that is tried again: at once, then after longer and longer pauses.

    Its patience begins with the first trouble.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self.renew()

    def renew(self) -> None:
        """Something went well: what fails from now on is a new trouble."""
        self._deadline = math.inf
        self._next_seconds = 0.0

    @property
    def begun(self) -> bool:
        """There has been trouble."""
        return self._deadline != math.inf

    async def pause(self, asked_seconds: float | None = None) -> bool:
        """Wait, for as long as the other end asked; False at once when patience is over."""
        now = time.monotonic()
        if not self.begun:
            self._deadline = now + self._patience_seconds
        if now + (asked_seconds or 0.0) >= self._deadline:
            return False
        # Many clients lose one server together: jitter keeps them from coming back together.
        jittered = self._next_seconds * random.uniform(0.5, 1.0)
        self._next_seconds = min(2 * self._next_seconds, LONGEST_SECONDS) or FIRST_SECONDS
        await anyio.sleep(jittered if asked_seconds is None else asked_seconds)
        return True
