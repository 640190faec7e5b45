"""One follower: reads what it lacks by itself, then goes with the feed of all who follow that."""

from treadle.api.http.diary import Reader, Subject
from treadle.api.http.feeds import Chunk, Feed, Form
from treadle.api.http.news import Archive
from treadle.api.http.pacing import Bell
from treadle.api.http.state import House


class Following:
    """A place in the diary, from where events are taken in one form.

    after: the last place that was taken. follow: go on with what comes, if the house has an owner.
    """

    __slots__ = ("_feed", "_follow", "_form", "_house", "_reader", "_sequence", "after", "bell")

    def __init__(self, house: House, subject: Subject, after: int, form: Form, *, follow: bool):
        self.bell = Bell()
        self.after = after
        self._house, self._form = house, form
        self._follow = follow and house.scheduler is not None
        self._feed: Feed | None = None
        self._sequence = 0
        self._reader = Reader(archive_of(house), subject, after)

    def take(self) -> bytes | None:
        """What can be sent now, b"" if nothing; None at the end. The bell rings for more."""
        return self._catch_up() if self._feed is None else self._go_on(self._feed)

    def close(self) -> None:
        self._leave()

    def _catch_up(self) -> bytes | None:
        reader = self._reader
        told = reader.read()
        self.after = reader.after
        if told or reader.behind:
            self.bell.ring()
            return self._form(told) if told else b""
        if not self._follow or reader.is_over():
            return None
        told = reader.here() + reader.so_far()
        self._join(reader.subject)
        return self._form(told) if told else b""

    def _join(self, subject: Subject) -> None:
        house = self._house
        assert house.scheduler is not None

        def at_the_end() -> Reader:
            end = house.ledger.read(lambda books: books.last_event(subject.stream))
            return Reader(archive_of(house), subject, end)

        self._feed = house.feeds.feed(house.scheduler.watch, at_the_end, subject)
        self._sequence = self._feed.sequence
        self._feed.enter(self.bell)
        # What it told them of jobs under way is the feed's to know from now on.
        self._reader = Reader(archive_of(house), subject, self.after)

    def _leave(self) -> None:
        if self._feed is not None:
            self._feed.leave(self.bell)
            self._feed = None

    def _go_on(self, feed: Feed) -> bytes | None:
        chunks = feed.since(self._sequence)
        if chunks is None:
            self._leave()
            self._reader.after = self.after
            self.bell.ring()
            return b""
        if not chunks:
            return None if feed.over else b""
        self._sequence = feed.sequence
        if feed.over:
            self.bell.ring()
        return self._encoded(chunks)

    def _encoded(self, chunks: list[Chunk]) -> bytes:
        before, self.after = self.after, max(self.after, chunks[-1].last)
        if len(chunks) == 1 and (before < chunks[0].first or not chunks[0].last):
            return chunks[0].encoded(self._form)
        told = [each for chunk in chunks for each in chunk.after(before)]
        return self._form(told) if told else b""


def archive_of(house: House) -> Archive:
    return Archive(ledger=house.ledger, logs=house.logs, clock=house.clock)
