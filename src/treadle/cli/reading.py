"""A thread that reads from the owner, and the messages that it sends to the main thread."""

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from treadle.cli.door import Door
from treadle.client.progress import Uploading


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the following itself: the owner went away, this process takes over."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing more will come. error: why, if what was followed has not ended."""

    error: BaseException | None = None


Told = Notice | Uploading | Finished
M = TypeVar("M")


class Reading(ABC, Generic[M]):
    """One stream of messages; `send` may be called from a signal handler."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._messages: queue.SimpleQueue[M | Told] = queue.SimpleQueue()
        self.send: Callable[[M | Told], None] = self._messages.put

    def start(self) -> None:
        """Begin, and read from now on."""
        self._door.on_notice(lambda text: self.send(Notice(text)))
        self._door.on_uploading(self.send)
        threading.Thread(target=self._work, name="treadle-follow", daemon=True).start()

    def get(self, timeout_seconds: float) -> M | Told | None:
        """The next message, or None when none came in time."""
        try:
            return self._messages.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def _work(self) -> None:
        try:
            self._read()
            self.send(Finished())
        except BaseException as error:  # noqa: BLE001 - the main thread decides what it means
            self.send(Finished(error))

    @abstractmethod
    def _read(self) -> None:
        """Send all there is, to its end."""
