"""How far an upload is, told a few times a second to whoever asked the link for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

TELL_SECONDS = 0.2  #: between two words, so that telling costs nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploading:
    """Bytes of files that were sent, of those that were missing; all of it is there at the end."""

    done: int
    total: int

    @property
    def is_over(self) -> bool:
        return self.done >= self.total


class Progress:
    """Counts what is sent. tell: in the loop's thread; a body that is sent again counts again."""

    def __init__(self, total: int, tell: Callable[[Uploading], None]) -> None:
        self.done, self._total, self._tell = 0, total, tell
        self._say(0)

    def reach(self, done: int) -> None:
        """So many bytes were sent; that it is over is for `end` to say."""
        self.done = done
        if done < self._total and time.monotonic() - self._told_at >= TELL_SECONDS:
            self._say(done)

    def end(self) -> None:
        """The other end has all of it."""
        self._say(self._total)

    def _say(self, done: int) -> None:
        self._told_at = time.monotonic()
        self._tell(Uploading(done=done, total=self._total))
