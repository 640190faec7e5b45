"""The one bounded stream of notes between an engine and whoever follows it.

An end wakes the follower at once. All else may linger for a moment, so that what belongs together
is taken together: each batch costs the ledger a transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from treadle.model.orders import Ended, Note

LINGER_SECONDS = 0.005


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
        self._timer: asyncio.TimerHandle | None = None
        self._ready = False  # notes that may be taken
        self._closed = False

    @property
    def full(self) -> bool:
        return len(self._notes) >= self._limit or self._bytes >= self._limit_bytes

    def put(self, note: Note, size_bytes: int = 0, *, soon: bool = False) -> None:
        """soon: let the follower take it at once, as an end."""
        self._notes.append(note)
        self._bytes += size_bytes
        if soon or isinstance(note, Ended) or self.full:
            self._hand_over()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LINGER_SECONDS, self._time_is_over)

    def close(self) -> None:
        """No more notes will come; those not yet taken still are."""
        self._closed = True
        self._hand_over()

    def _time_is_over(self) -> None:
        self._timer = None
        if self._notes:
            self._hand_over()

    def _hand_over(self) -> None:
        self._ready = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def batches(self) -> AsyncIterator[Sequence[Note]]:
        """All notes there are, again and again; ends when the stream is closed and empty."""
        while True:
            if self._ready and self._notes:
                was_full, batch = self.full, self._notes
                self._notes, self._bytes, self._ready = [], 0, self._closed
                if was_full:
                    self._on_room()
                yield batch
            elif self._closed:
                return
            else:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
