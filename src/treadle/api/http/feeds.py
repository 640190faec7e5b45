"""What many follow is read and encoded once: a feed keeps its last chunks for all who follow it.

A follower is a place in a feed. Nothing is queued for it: one that falls too far behind reads on
by itself, until it has caught up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

from treadle.api.http.diary import Reader, Told
from treadle.api.http.pacing import Bell, Pacer
from treadle.errors import Busy, TreadleError
from treadle.scheduler import Change, Watch

MOST_FOLLOWERS = 5000  #: of all that is followed, over one house
RETRY_AFTER_SECONDS = 5
PAUSE_SECONDS = 0.01  #: between two chunks, so that a busy run costs few packets
PAUSE_SECONDS_EACH = 0.0002  #: more for each follower: telling it may cost a tenth of the time
KEEP_ALIVE_SECONDS = 15.0
AGAIN_SECONDS = 1.0  #: after the ledger could not be read
KEPT_CHUNKS, KEPT_BYTES = 64, 256 * 1024
AT_A_TIME = 50  #: followers woken before others have their turn

log = logging.getLogger("treadle.api")
Form = Callable[[Sequence[Told]], bytes]


class Chunk:
    """Some events, encoded at most once in each form. last: the highest place in it."""

    __slots__ = ("_encoded", "first", "last", "size", "told")

    def __init__(self, told: Sequence[Told]) -> None:
        self.told = told
        places = [each.place for each in told if each.place]
        self.first, self.last = (places[0], places[-1]) if places else (0, 0)
        self.size = sum(len(each.json) for each in told)
        self._encoded: dict[Form, bytes] = {}

    def after(self, place: int) -> Sequence[Told]:
        """What comes behind the last event up to this place."""
        if place < self.first or not self.last:
            return self.told
        known = [at for at, each in enumerate(self.told) if 0 < each.place <= place]
        return self.told[known[-1] + 1 :]

    def encoded(self, form: Form) -> bytes:
        if form not in self._encoded:
            self._encoded[form] = form(self.told)
        return self._encoded[form]


class Feed:
    """Tells all followers of one subject what the reader finds, as soon as it is there.

    sequence: how many chunks there were. over: there will be no more.
    """

    def __init__(self, watch: Watch, reader: Reader, on_left: Callable[[], None]) -> None:
        self.sequence = 0
        self.over = False
        self._watch, self._reader, self._on_left = watch, reader, on_left
        self._changes: dict[Change, None] = {}
        self._chunks: deque[Chunk] = deque()
        self._kept_bytes = 0
        self._bells: dict[Bell, None] = {}
        self._loop = asyncio.get_running_loop()
        self._pacer = Pacer(self._tell_all, self._pause)
        self._told_at = self._loop.time()
        self._beat = self._loop.call_later(KEEP_ALIVE_SECONDS, self._keep_alive)
        reader.so_far()  # each follower was told that when it came
        watch.add(reader.subject.stream, self)

    # followers

    def enter(self, bell: Bell) -> None:
        """Ring the bell whenever there is a chunk."""
        self._bells[bell] = None

    def leave(self, bell: Bell) -> None:
        del self._bells[bell]
        if not self._bells:
            self._watch.forget(self._reader.subject.stream, self)
            self._pacer.close()
            self._beat.cancel()
            self._on_left()

    def since(self, sequence: int) -> list[Chunk] | None:
        """The chunks from there on; None when some are not kept any more."""
        missing = self.sequence - sequence
        if missing > len(self._chunks):
            return None
        return [self._chunks[at] for at in range(-missing, 0)]

    # what is told

    def tell(self, change: Change) -> None:
        subject = self._reader.subject
        if subject.concerns(change):
            self._changes[change] = None
            self._pacer.ask(urgent=change.job_id is None and subject.stream is not None)

    def _pause(self) -> float:
        return PAUSE_SECONDS + PAUSE_SECONDS_EACH * len(self._bells)

    def _tell_all(self) -> None:
        changes, self._changes = self._changes, {}
        try:
            told = self._reader.read(changes)
        except TreadleError as error:
            log.warning("followers have to wait: %s", error)
            self._changes = changes | self._changes
            return self._pacer.ask_after(AGAIN_SECONDS)
        self.over = self._reader.ended
        if told or self.over:
            self._add(Chunk(told))
        if self._reader.behind:
            self._pacer.ask_after(0)

    def _keep_alive(self) -> None:
        left = self._told_at + KEEP_ALIVE_SECONDS - self._loop.time()
        if left <= 0.01:
            self._add(Chunk(self._reader.here()))
            left = KEEP_ALIVE_SECONDS
        self._beat = self._loop.call_later(left, self._keep_alive)

    def _add(self, chunk: Chunk) -> None:
        self.sequence += 1
        self._told_at = self._loop.time()
        self._chunks.append(chunk)
        self._kept_bytes += chunk.size
        while len(self._chunks) > 1 and (
            len(self._chunks) > KEPT_CHUNKS or self._kept_bytes > KEPT_BYTES
        ):
            self._kept_bytes -= self._chunks.popleft().size
        self._ring(iter(list(self._bells)))

    def _ring(self, bells: Iterator[Bell]) -> None:
        """In small parts, so that the scheduler need not wait for a thousand followers."""
        for count, bell in enumerate(bells, 1):
            bell.ring()
            if count == AT_A_TIME:
                self._loop.call_soon(self._ring, bells)
                return


class Feeds:
    """The feeds that somebody follows, and how many do."""

    def __init__(self, most: int = MOST_FOLLOWERS) -> None:
        self.followers = 0
        self._most = most
        self._feeds: dict[Hashable, Feed] = {}

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Around one follower. Raises Busy when there are too many."""
        if self.followers >= self._most:
            raise Busy(
                f"{self.followers} others follow runs here, as many as may.",
                hint="Try again later, or ask for the state with `wait`.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        self.followers += 1
        try:
            yield
        finally:
            self.followers -= 1

    def feed(self, watch: Watch, reader: Callable[[], Reader], subject: Hashable) -> Feed:
        """The feed of a subject. reader: makes one at the end of all there is, if it is needed."""
        if subject not in self._feeds:
            self._feeds[subject] = Feed(watch, reader(), lambda: self._forget(subject))
        return self._feeds[subject]

    def _forget(self, subject: Hashable) -> None:
        del self._feeds[subject]
