"""Reading the diary from a place on: lines as they were written, and news between them.

Lines have a place: their number in the stream of a run or call, their cursor in that of all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from treadle.api.http.encode import encode
from treadle.api.http.news import Archive, News
from treadle.errors import NotFound, TreadleError
from treadle.interfaces import Books
from treadle.model.records import Event
from treadle.model.states import JOB_ENDS, RUN_ENDS
from treadle.scheduler import Change

BATCH = 500  #: lines read at a time
MOST_RUNS_KNOWN = 4096  #: whose they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is followed. stream: a run's id, or a call's; None for all of them.

    job_id: only of this job. kinds: only these, each with all below it: "job" has "job.failed".
    user, pipeline: only of their runs. news: with what is no line of the diary. text: with what
    jobs print.
    """

    stream: str | None = None
    job_id: str | None = None
    kinds: tuple[str, ...] = ()
    user: str | None = None
    pipeline: str | None = None
    news: bool = True
    text: bool = False

    def has_kind(self, kind: str) -> bool:
        return not self.kinds or any(
            kind == each or kind.startswith(f"{each}.") for each in self.kinds
        )

    def concerns(self, change: Change) -> bool:
        if change.kind == "event":
            return True
        return (
            self.news
            and self.has_kind(f"job.{change.kind}")
            and self.job_id in (None, change.job_id)
        )

    def ends_with(self, event: Event) -> bool:
        """Nothing comes after it."""
        if self.stream is None:
            return False
        if self.job_id is not None and event.job_id is not None:
            return event.job_id == self.job_id and event.data.get("state") in JOB_ENDS
        return event.job_id is None and (
            event.kind == "run.deleted" or event.data.get("state") in RUN_ENDS
        )


class Told(NamedTuple):
    """An event as JSON. place: 0 for news. Without any JSON it says the place alone."""

    place: int
    json: bytes


class Reader:
    """A place in the diary, and what was told of each job under way.

    after: the last line that was read. behind: there may be more that can be read now. ended: the
    last line there will be was read.
    """

    def __init__(self, archive: Archive, subject: Subject, after: int) -> None:
        self._ledger, self.subject, self.after = archive.ledger, subject, after
        self.behind = True
        self.ended = False
        self._news = News(archive, text=subject.text)
        self._waiting: dict[Change, None] = {}  # news that goes behind lines not yet read
        self._whose: dict[str, tuple[str, str]] = {}  # run or call -> user, pipeline

    def read(self, changes: Iterable[Change] = ()) -> list[Told]:
        """The next lines, and news: that of a job that ends before its end, other behind them.

        Raises Unavailable; nothing counts as read then.
        """
        after, waiting = self.after, dict(self._waiting)
        try:
            return self._ledger.read(lambda books: self._read(books, changes))
        except TreadleError:
            self.after, self._waiting, self.ended = after, waiting, False
            raise

    def here(self) -> list[Told]:
        """Where we are, in a stream of which much may be passed over that nobody wants to hear."""
        return [] if self.subject.stream else [Told(self.after, b"")]

    def is_over(self) -> bool:
        """Whether no line will come, wherever the place is."""
        return self.ended or self._ledger.read(self._is_over)

    def so_far(self) -> list[Told]:
        """News of all jobs under way: what they printed and measured before anybody looked."""
        return self._ledger.read(self._so_far) if self.subject.news else []

    def _read(self, books: Books, changes: Iterable[Change]) -> list[Told]:
        self._waiting |= {each: None for each in changes if each.kind != "event"}
        events = self._lines(books)
        last = [events.pop()] if self.ended and events else []
        told: list[Told] = []
        for event in events:
            if self._ends_a_job(event):
                told += self._told(books, event.job_id)
            told += self._line(books, event)
        for event in last:
            self._ends_a_job(event)
        if not self.behind:
            told += self._told(books, None)
        return told + [line for event in last for line in self._line(books, event)]

    def _ends_a_job(self, event: Event) -> bool:
        """Whether it does; all text that the job printed is to be told before."""
        if event.job_id is None or event.data.get("state") not in JOB_ENDS:
            return False
        change = Change(event.stream, "output", event.job_id)
        if self.subject.text and self.subject.concerns(change):
            self._waiting[change] = None
        return bool(self._waiting)

    def _lines(self, books: Books) -> list[Event]:
        stream = self.subject.stream
        events = books.events(stream=stream, after=self.after, limit=BATCH)
        self.behind = len(events) == BATCH
        for at, event in enumerate(events):
            if self.subject.ends_with(event):
                self.ended, self.behind = True, False
                events = events[: at + 1]
                break
        if events:
            self.after = events[-1].number if stream else events[-1].cursor
        return events

    def _line(self, books: Books, event: Event) -> list[Told]:
        subject = self.subject
        if not subject.has_kind(event.kind) or subject.job_id not in (None, event.job_id):
            return []
        place = event.number if subject.stream else event.cursor
        return [Told(place, encode(event))] if self._is_theirs(books, event) else []

    def _told(self, books: Books, job_id: str | None) -> list[Told]:
        """The news that waits, of one job or of all."""
        changes = [each for each in self._waiting if job_id in (None, each.job_id)]
        for change in changes:
            del self._waiting[change]
        events = self._news.of(books, changes)
        return [Told(0, encode(event)) for event in events if self._is_theirs(books, event)]

    def _so_far(self, books: Books) -> list[Told]:
        subject = self.subject
        for job in books.leased_jobs():
            if subject.stream in (None, job.stream) and subject.job_id in (None, job.id):
                kinds = ("output", "metrics", *["progress"] * (job.progress_done is not None))
                changes = (Change(job.stream, kind, job.id) for kind in kinds)  # type: ignore[arg-type]
                self._waiting |= {each: None for each in changes if subject.concerns(each)}
        return self._told(books, None)

    def _is_theirs(self, books: Books, event: Event) -> bool:
        subject, stream = self.subject, event.stream
        if subject.user is None and subject.pipeline is None:
            return True
        if stream not in self._whose:
            if len(self._whose) > MOST_RUNS_KNOWN:
                self._whose.clear()
            self._whose[stream] = _whose(books, event)
        user, pipeline = self._whose[stream]
        return subject.user in (None, user) and subject.pipeline in (None, pipeline)

    def _is_over(self, books: Books) -> bool:
        subject = self.subject
        if subject.stream is None:
            return False
        try:
            if subject.job_id is not None:
                return books.job(subject.job_id).state in JOB_ENDS
            return books.run(subject.stream).state in RUN_ENDS
        except NotFound:  # deleted
            return True


def _whose(books: Books, event: Event) -> tuple[str, str]:
    """(user, pipeline) of the run or call; what a deleted one's last line says."""
    try:
        if event.stream.startswith("job_"):
            return books.job(event.stream).user, ""
        run = books.run(event.stream)
        return run.user, run.pipeline
    except NotFound:
        return event.data.get("user", ""), event.data.get("pipeline", "")
