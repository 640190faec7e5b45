"""MemoryEngine: an Engine without processes, for tests of what stands above it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from types import TracebackType

from treadle.engine.note_stream import NoteStream
from treadle.interfaces import Capacity, Engine
from treadle.model.orders import AttemptKey, Ended, Note, Order, Report, Started

Script = Callable[[Order], Report | Sequence[Note]]


def completes(order: Order) -> Report:
    """The script that lets every job succeed, with no outputs."""
    return Report(outcome="completed")


class MemoryEngine(Engine):
    """Performs each order by calling script(order).

    A Report becomes Started and Ended; a list of notes is sent as it stands, numbered anew and
    without an Ended unless it holds one, so that the attempt stays under way. `hold` keeps
    orders from being performed until `release`; `say` sends any note; `end` ends an attempt.
    survivors: what adopt() finds alive.
    """

    def __init__(
        self,
        script: Script = completes,
        *,
        capacity: Capacity | None = None,
        survivors: Collection[AttemptKey] = (),
    ) -> None:
        self._script = script
        self._capacity = capacity or Capacity(slots=4, cpus=4.0, memory_bytes=4 * 1024**3)
        self._survivors = set(survivors)
        self._notes = NoteStream(10_000, 8 * 1024**2, lambda: None)
        self._holding = False
        self._numbers: dict[AttemptKey, int] = {}
        self.orders: list[Order] = []  #: all that were started, in order
        self.held: dict[AttemptKey, Order] = {}  #: started, not yet performed
        self.alive: set[AttemptKey] = set()  #: started, not yet ended
        self.aborts: list[tuple[AttemptKey, float]] = []  #: (attempt, grace in seconds)

    async def __aenter__(self) -> "MemoryEngine":
        self.alive |= self._survivors
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.held.clear()
        self.alive.clear()
        self._notes.close()

    def capacity(self) -> Capacity:
        return self._capacity

    def start(self, order: Order) -> None:
        self.orders.append(order)
        self.alive.add(order.attempt)
        if self._holding:
            self.held[order.attempt] = order
        else:
            asyncio.get_running_loop().call_soon(self._perform, order)

    def abort(self, attempt: AttemptKey, *, grace_seconds: float) -> None:
        if attempt in self.alive:
            self.aborts.append((attempt, grace_seconds))
            self.end(attempt, Report(outcome="aborted"))

    async def adopt(self, attempts: Collection[AttemptKey]) -> set[AttemptKey]:
        return self._survivors & set(attempts)

    def notes(self) -> AsyncIterator[Sequence[Note]]:
        return self._notes.batches()

    # the test's hands

    def hold(self) -> None:
        """From now on keep started orders in `held`."""
        self._holding = True

    def release(self, attempt: AttemptKey | None = None) -> None:
        """Perform a held order now; without an attempt, all of them, and stop holding."""
        if attempt is not None:
            self._perform(self.held[attempt])
            return
        self._holding = False
        for order in list(self.held.values()):
            self._perform(order)

    def say(self, note: Note) -> None:
        """Send the note, numbered as the attempt's next."""
        number = self._numbers[note.attempt] = self._numbers.get(note.attempt, 0) + 1
        if isinstance(note, Ended):
            self.alive.discard(note.attempt)
            self.held.pop(note.attempt, None)
        self._notes.put(replace(note, number=number))

    def say_as_is(self, *notes: Note) -> None:
        """Send notes with the numbers they have: again, or for attempts that are none."""
        for note in notes:
            self._notes.put(note)

    def end(self, attempt: AttemptKey, report: Report) -> None:
        """End an attempt that is alive."""
        self.say(Ended(attempt, 0, report))

    def _perform(self, order: Order) -> None:
        self.held.pop(order.attempt, None)
        if order.attempt not in self.alive:  # aborted before it began
            return
        said = self._script(order)
        if isinstance(said, Report):
            said = [Started(order.attempt, 0), Ended(order.attempt, 0, said)]
        for note in said:
            self.say(note)
