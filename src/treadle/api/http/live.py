"""Answers that go on while something goes on, over HTTP and over WebSocket.

One task waits for news, a second one for the caller to leave; what is sent is taken at that very
moment, so a slow reader has no queue, and nobody waits for it.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from treadle.api.http.feeds import Feeds
from treadle.api.http.pacing import Bell
from treadle.errors import TreadleError

NORMAL, GOING_AWAY, OUR_ERROR = 1000, 1001, 1011  #: close codes of WebSocket
LEAVING = ("http.disconnect", "websocket.disconnect")


class Source(Protocol):
    """Where what is sent is taken from."""

    bell: Bell  #: rings when there may be more to take

    def take(self) -> bytes | None:
        """What there is now, b"" for nothing; None at the end."""
        ...

    def close(self) -> None: ...


class Live(Response):
    """Sends what a source gives, to its end, and closes it."""

    def __init__(
        self, feeds: Feeds, source: Source, *, media_type: str, headers: Mapping[str, str]
    ) -> None:
        self.status_code, self.media_type, self.background = 200, media_type, None
        self._feeds, self._source = feeds, source
        self.init_headers({"cache-control": "no-store", **headers})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = self._source
        with self._feeds.seat(), _open(source, receive) as caller:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while scope["method"] != "HEAD" and not caller.done():
                data = source.take()
                if data is None:
                    break
                if data:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                else:
                    await source.bell.wait()
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def live_socket(feeds: Feeds, source: Source, socket: WebSocket) -> None:
    """Send what a source gives as text messages; what the caller says is not listened to.

    Closes with 1000 at the end; with 1011 and the error's code when it cannot go on.
    """
    with feeds.seat():
        await socket.accept()
        with _open(source, socket.receive) as caller:
            try:
                await _send_all(source, socket, caller)
            except TreadleError as error:
                await socket.close(OUR_ERROR, error.code)
            else:
                if not caller.done():
                    await socket.close(NORMAL)


async def _send_all(source: Source, socket: WebSocket, caller: "asyncio.Task[None]") -> None:
    while not caller.done() and (data := source.take()) is not None:
        if data:
            await socket.send({"type": "websocket.send", "text": data.decode()})
        else:
            await source.bell.wait()


@contextmanager
def _open(source: Source, receive: Receive) -> Iterator["asyncio.Task[None]"]:
    """Within, a task that is done when the caller has left; the bell rings for that, too."""
    caller = asyncio.create_task(_until_left(receive), name="until the caller leaves")
    caller.add_done_callback(lambda task: task.cancelled() or task.exception())
    caller.add_done_callback(lambda _: source.bell.ring())
    try:
        yield caller
    finally:
        caller.cancel()
        source.close()


async def _until_left(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] not in LEAVING:
        message = await receive()
