"""The requests under way, so that a house can close without leaving one half done."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

LAST_WORDS_SECONDS = 5.0
MOST_UPLOADS = 64  #: at a time; each has a thread of its own, however slowly it arrives


class Traffic:
    """Counts requests that write, and can cut off the others, which only wait for news."""

    def __init__(self) -> None:
        self._scopes: set[anyio.CancelScope] = set()
        self._writing = 0
        self._written = anyio.Event()
        self.uploads = anyio.CapacityLimiter(MOST_UPLOADS)

    @contextmanager
    def request(self, method: str) -> Iterator[None]:
        """Around one request; ends early, without an error, when it is cut off."""
        writes = method not in ("GET", "HEAD", "WEBSOCKET")
        scope = anyio.CancelScope()
        self._scopes.add(scope)
        self._writing += writes
        try:
            with scope:
                yield
        finally:
            self._scopes.discard(scope)
            self._writing -= writes
            if not self._writing:
                self._written.set()
                self._written = anyio.Event()

    async def last_words(self) -> None:
        """Wait until no request writes any more, for a while."""
        with anyio.move_on_after(LAST_WORDS_SECONDS):
            while self._writing:
                await self._written.wait()

    def cut_off(self) -> None:
        """End all that is left."""
        for scope in self._scopes:
            scope.cancel()
