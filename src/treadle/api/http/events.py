"""What happens, as server-sent events or over WebSocket: of one run, of one job, of all.

Lines of the diary have an id, from which a follower goes on that lost its connection: their number
in the stream of a run, their cursor in the stream of all. Between them comes news without an id
(see `news`). In the stream of all an id comes without an event, too: when a follower has caught
up, and while nothing happens that it wants to hear of. A WebSocket gets the same events in messages
{"events": [...]}.
"""

from collections.abc import Sequence
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from treadle.api.http.asked import query, whole_id
from treadle.api.http.diary import Subject, Told
from treadle.api.http.feeds import Form
from treadle.api.http.following import Following
from treadle.api.http.live import Live, live_socket
from treadle.api.http.state import house_of
from treadle.errors import InvalidRequest

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE = b": still here\n\n"


async def get_events(request: Request) -> Response:
    """What happens in a run as server-sent events: what did, then what does, until its end."""
    return _streamed(request, _of_run(request, as_lines))


async def get_job_events(request: Request) -> Response:
    """What happens to a job as server-sent events: what did, then what does, until its end."""
    return _streamed(request, _of_job(request, as_lines))


async def get_all_events(request: Request) -> Response:
    """What happens in all runs and calls, as server-sent events, without an end.

    Without `after` and `Last-Event-ID` it begins now; `after=0` tells all that is kept.
    """
    return _streamed(request, _of_all(request, as_lines))


async def follow_events(socket: WebSocket) -> None:
    """As GET, over WebSocket: messages {"events": [...]}; it is closed with 1000 at the end."""
    await live_socket(house_of(socket).feeds, _of_run(socket, as_message), socket)


async def follow_job_events(socket: WebSocket) -> None:
    """As GET, over WebSocket: messages {"events": [...]}; it is closed with 1000 at the end."""
    await live_socket(house_of(socket).feeds, _of_job(socket, as_message), socket)


async def follow_all_events(socket: WebSocket) -> None:
    """As GET, over WebSocket: messages {"events": [...]}."""
    await live_socket(house_of(socket).feeds, _of_all(socket, as_message), socket)


def _streamed(request: Request, following: Following) -> Response:
    return Live(house_of(request).feeds, following, media_type=MEDIA_TYPE, headers={})


def _of_run(asked: HTTPConnection, form: Form) -> Following:
    values, house = query(asked), house_of(asked)
    run_id = whole_id(asked, "run")
    house.ledger.read(lambda books: books.run(run_id))
    subject = Subject(stream=run_id, kinds=_kinds(values), text=values["output"])
    after = _after(asked, values)
    return Following(house, subject, after or 0, form, follow=values["follow"])


def _of_job(asked: HTTPConnection, form: Form) -> Following:
    values, house = query(asked), house_of(asked)
    job_id = whole_id(asked, "job")
    stream = house.ledger.read(lambda books: books.job(job_id)).stream
    subject = Subject(stream=stream, job_id=job_id, kinds=_kinds(values), text=values["output"])
    after = _after(asked, values)
    return Following(house, subject, after or 0, form, follow=values["follow"])


def _of_all(asked: HTTPConnection, form: Form) -> Following:
    values, house = query(asked), house_of(asked)
    subject = Subject(
        kinds=_kinds(values),
        user=values["user"],
        pipeline=values["pipeline"],
        news=values["transient"],
    )
    after = _after(asked, values)
    if after is None:
        after = house.ledger.read(lambda books: books.last_event(None)) if values["follow"] else 0
    return Following(house, subject, after, form, follow=values["follow"])


def _kinds(values: dict[str, Any]) -> tuple[str, ...]:
    return tuple(sorted({each.strip() for each in (values["kind"] or "").split(",")} - {""}))


def _after(asked: HTTPConnection, values: dict[str, Any]) -> int | None:
    """The place of the last event that the caller knows; None if it names none.

    The header goes first: a browser that connects again sends it with the address it began with.
    """
    if text := asked.headers.get("last-event-id", ""):
        return _place("Last-Event-ID: ", text)
    return _place("after=", values["after"]) if values["after"] is not None else None


def _place(what: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise InvalidRequest(f"{what}{text[:80]!r}: expected the id of an event.")
    return int(text)


# Forms


def as_lines(told: Sequence[Told]) -> bytes:
    """Server-sent events; without any, a comment, which notices that the reader has gone."""
    return b"".join(map(_block, told)) or KEEP_ALIVE


def _block(each: Told) -> bytes:
    place = b"id: %d\n" % each.place if each.place else b""
    data = b"data: %b\n" % each.json if each.json else b""
    return b"%b%b\n" % (place, data)


def as_message(told: Sequence[Told]) -> bytes:
    """A JSON document; without any events, nothing: the protocol has its own pings."""
    events = b",".join(each.json for each in told if each.json)
    return b'{"events":[%b]}' % events if events else b""
