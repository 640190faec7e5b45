"""A run's diary as server-sent events: all that happened, then what happens, until it ended.

Lines of the diary have an id, their number in the run's stream. Between them come transient events
without an id: `job.progress` {done, total}, `job.metrics` {metrics}, `job.output` {}.
"""

from collections.abc import AsyncIterator
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from treadle.api.http.asked import query, whole_id
from treadle.api.http.encode import event_lines, metric_body
from treadle.api.http.state import House, house_of
from treadle.errors import InvalidRequest
from treadle.interfaces import Books
from treadle.model.records import Event
from treadle.model.states import JOB_ENDS, RUN_ENDS
from treadle.scheduler import Change, Subscription

BATCH = 500
BATCH_SECONDS = 0.02  #: news gathers for so long, so that a busy run costs few packets
KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": still here\n\n"  #: a comment; notices, too, that the reader has gone


async def get_events(request: Request) -> Response:
    """The diary of a run as server-sent events: what happened, then what happens until its end."""
    values = query(request)
    after = values["after"]
    if after is None:
        after = last_event_id(request)
    house, run_id = house_of(request), whole_id(request, "run")
    house.ledger.read(lambda books: books.run(run_id))
    diary = Diary(house, run_id, after)
    follow = values["follow"] and house.scheduler is not None
    told = diary.followed() if follow else diary.so_far()
    return StreamingResponse(
        told, headers={"cache-control": "no-store"}, media_type="text/event-stream"
    )


def last_event_id(request: Request) -> int:
    """From where a follower goes on that lost its connection."""
    text = request.headers.get("last-event-id", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise InvalidRequest(f"Last-Event-ID: {text[:80]!r}: expected a number of an event.")
    return int(text or 0)


class Diary:
    """One reader's place in the diary of a run."""

    def __init__(self, house: House, run_id: str, after: int) -> None:
        self.house, self.run_id, self.after = house, run_id, after
        self._ended = False
        self._metrics_seen: dict[str, int] = {}  # job id -> id of its last metric told

    async def so_far(self) -> AsyncIterator[bytes]:
        """What is written."""
        while events := self._next_events():
            yield event_lines(events)

    async def followed(self) -> AsyncIterator[bytes]:
        """What is written, and what will be, until the run has ended.

        News without a number follows the lines written before it, and precedes the end of its job
        and of the run.
        """
        assert self.house.scheduler is not None
        with self.house.scheduler.watch.subscribe(self.run_id) as changes:
            run = self.house.ledger.read(lambda books: books.run(self.run_id))
            self._ended = run.state in RUN_ENDS
            changed = self._printed_before()
            while True:
                last: list[Event] = []
                while events := self._next_events():
                    last = [events.pop()] if _is_end(events[-1]) else []
                    changed += changes.pending()
                    ending = {event.job_id for event in events if _is_end_of_job(event)}
                    news = self._news_of([each for each in changed if each.job_id in ending])
                    changed = [each for each in changed if each.job_id not in ending]
                    yield event_lines(_woven(events, news))
                changed += changes.pending() if self._ended else []
                yield event_lines(self._news_of(changed) + last)
                if self._ended:
                    return
                changed = await self._news(changes)
                if not changed:
                    yield KEEP_ALIVE

    def _printed_before(self) -> list[Change]:
        """What is under way may have printed before this reader came."""
        leased = self.house.ledger.read(lambda books: books.leased_jobs())
        return [
            Change(self.run_id, "output", job.id) for job in leased if job.run_id == self.run_id
        ]

    async def _news(self, changes: Subscription) -> list[Change]:
        """What changed, gathered for a moment; nothing after a long silence."""
        changed: list[Change] = []
        with anyio.move_on_after(KEEP_ALIVE_SECONDS):
            changed = await changes.changes()
        if changed and all(change.job_id is not None for change in changed):
            await anyio.sleep(BATCH_SECONDS)
            changed += changes.pending()
        return changed

    def _next_events(self) -> list[Event]:
        batch = self.house.ledger.read(
            lambda books: books.events(stream=self.run_id, after=self.after, limit=BATCH)
        )
        if batch:
            self.after = batch[-1].number
            self._ended |= _is_end(batch[-1])
        return batch

    def _news_of(self, changes: list[Change]) -> list[Event]:
        """What changed besides the lines, as events without a number; each once."""
        told = [each for each in dict.fromkeys(changes) if each.kind != "event" and each.job_id]
        if not told:
            return []
        return self.house.ledger.read(lambda books: [self._event(books, each) for each in told])

    def _event(self, books: Books, change: Change) -> Event:
        job_id = change.job_id or ""
        data: dict[str, Any] = {}
        if change.kind == "progress":
            job = books.job(job_id)
            data = {"done": job.progress_done, "total": job.progress_total}
        elif change.kind == "metrics":
            seen = self._metrics_seen.get(job_id, 0)
            metrics = books.metrics_of(job_id, seen)
            self._metrics_seen[job_id] = max((m.id for m in metrics), default=seen)
            data = {"metrics": [metric_body(metric) for metric in metrics]}
        return Event(
            cursor=0,
            stream=self.run_id,
            number=0,
            at=self.house.clock.now(),
            kind=f"job.{change.kind}",
            job_id=job_id,
            data=data,
        )


def _is_end(event: Event) -> bool:
    return event.job_id is None and event.data.get("state") in RUN_ENDS


def _is_end_of_job(event: Event) -> bool:
    return event.job_id is not None and event.data.get("state") in JOB_ENDS


def _woven(events: list[Event], news: list[Event]) -> list[Event]:
    """The events, with the news of each job that ends in them before its end."""
    if not news:
        return events
    woven: list[Event] = []
    for event in events:
        if _is_end_of_job(event):
            woven += [each for each in news if each.job_id == event.job_id]
        woven.append(event)
    return woven
