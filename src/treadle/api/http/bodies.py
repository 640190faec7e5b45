"""How much requests may send: one by itself, and all of them at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import HTTPConnection
from starlette.types import Message, Receive

from treadle.api.http.exchange import Exchange
from treadle.errors import Busy, TooLarge

AT_ONCE = 2  #: bodies of the largest size in memory


class Bodies:
    """Counts the bytes of bodies that are held in memory.

    What counts is what came, not what was announced: an announcement costs a caller nothing.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._in_all, self._held = limit, limit * AT_ONCE, 0

    @contextmanager
    def reading(self, exchange: Exchange, *, streams: bool) -> Iterator[Receive]:
        """The request's receive, which raises TooLarge and Busy.

        streams: the body is not kept, so that it has no limit.
        """
        if streams:
            yield exchange.receive
            return
        self._check_announced(exchange)
        body = _Body(self, exchange.receive)
        try:
            yield body.receive
        finally:
            self._held -= body.size

    def _check_announced(self, exchange: Exchange) -> None:
        announced = HTTPConnection(exchange.scope).headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._limit:
            raise self._too_large()

    def hold(self, body: "_Body", more: int) -> None:
        """Raises TooLarge, Busy."""
        body.size += more
        self._held += more
        if body.size > self._limit:
            raise self._too_large()
        if self._held > self._in_all:
            raise Busy(
                "Too many large requests are being read at once.",
                hint="Send it again, or put large values as blobs.",
                retry_after_seconds=1,
            )

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"The body is larger than {self._limit} bytes.",
            hint="Put large values as blobs, or raise `request_limit`.",
        )


class _Body:
    """One body; size: bytes that came so far."""

    def __init__(self, bodies: Bodies, receive: Receive) -> None:
        self._bodies, self._receive, self.size = bodies, receive, 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._bodies.hold(self, len(message.get("body", b"")))
        return message
