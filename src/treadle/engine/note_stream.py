"""The one bounded stream of notes between an engine and whoever follows it.

A start or an end wakes the follower at once. Output and figures linger for a moment, so that what
belongs together is taken together: each batch costs the ledger a transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from treadle.model.orders import Ended, Note, Started

LINGER_SECONDS = 0.002


class NoteStream:
    """Keeps notes in order until they are taken, all at once.

    put never blocks: the engine looks at `full` and stops reading what jobs send, so that they
    block. on_room is called when a full stream was emptied.
    """

    def __init__(self, limit: int, limit_bytes: int, on_room: Callable[[], None]) -> None:
        self._limit, self._limit_bytes, self._on_room = limit, limit_bytes, on_room
        self._notes: list[Note] = []
        self._bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def full(self) -> bool:
        return len(self._notes) >= self._limit or self._bytes >= self._limit_bytes

    def put(self, note: Note, size_bytes: int = 0) -> None:
        self._notes.append(note)
        self._bytes += size_bytes
        if isinstance(note, Ended | Started) or self.full:
            self._wake()
        elif len(self._notes) == 1:
            loop = asyncio.get_running_loop()
            self._lingering = loop.call_later(LINGER_SECONDS, self._wake)

    def close(self) -> None:
        """No more notes will come; those not yet taken still are."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def batches(self) -> AsyncIterator[Sequence[Note]]:
        """All notes there are, again and again; ends when the stream is closed and empty."""
        while True:
            if not self._notes and self._closed:
                return
            if not self._notes or self._lingering is not None:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
                self._waiter = None
                continue
            was_full, batch = self.full, self._notes
            self._notes, self._bytes = [], 0
            if was_full:
                self._on_room()
            yield batch
