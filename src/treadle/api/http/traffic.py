"""The requests under way, so that a house can close without leaving one half done."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

LAST_WORDS_SECONDS = 5.0
MOST_UPLOADS = 64  #: at a time; each has a thread of its own, however slowly it arrives


class Traffic:
    """Counts requests that write, and can cut off the others, which only wait for news."""

    def __init__(self) -> None:
        self._scopes: dict[anyio.CancelScope, str] = {}  # with the ids of tokens
        self._writing = 0
        self._written = anyio.Event()
        self.uploads = anyio.CapacityLimiter(MOST_UPLOADS)

    @contextmanager
    def request(self, method: str, token: str = "", seconds: float = math.inf) -> Iterator[None]:
        """Around one request; ends early, without an error, when it is cut off.

        token: the id of that it was asked with, which holds for so many seconds: what only reads
        is cut off when they are over.
        """
        writes = method not in ("GET", "HEAD", "WEBSOCKET")
        scope = anyio.CancelScope()
        if not writes and seconds < math.inf:
            scope.deadline = anyio.current_time() + seconds
        self._scopes[scope] = "" if writes else token
        self._writing += writes
        try:
            with scope:
                yield
        finally:
            del self._scopes[scope]
            self._writing -= writes
            if not self._writing:
                self._written.set()
                self._written = anyio.Event()

    async def last_words(self) -> None:
        """Wait until no request writes any more, for a while."""
        with anyio.move_on_after(LAST_WORDS_SECONDS):
            while self._writing:
                await self._written.wait()

    def cut_off(self, token: str | None = None) -> None:
        """End all that is left, or what reads with this token."""
        for scope, held in self._scopes.items():
            if token is None or token == held:
                scope.cancel()
