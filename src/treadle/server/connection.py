"""One connection: HTTP by uvicorn's protocol, with bounds on what a stranger may make it hold.

A client that sends its headers or its body too slowly, sends headers without end, or reads nothing
of its answer, is refused or cut off. Time is looked at by one `Warden` for all connections of a
door, once a second and only while there are any, so that a request costs no timer.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Literal

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from treadle.errors import InvalidRequest, TooLarge, Unavailable
from treadle.server.refusal import refusal

Waiting = Literal["", "headers", "body", "leaving"]
OF_UPGRADES = (b"upgrade", b"connection")
log = logging.getLogger("treadle.server.connection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may take, and how many there may be at a door."""

    connections: int = 4096
    header_bytes: int = 64 * 1024  #: of the request line and all headers
    header_seconds: float = 10.0  #: from the first byte, or from the start, to the last header
    body_seconds: float = 60.0  #: between two pieces of a body
    reader_seconds: float = 60.0  #: in which a reader must take something
    linger_seconds: float = 2.0  #: for a client to read a refusal while it still sends
    look_seconds: float = 1.0  #: between two looks at the clock


class Warden:
    """Looks after the connections of one door."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.state = limits, ServerState()
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """There is a connection to look after."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.limits.look_seconds, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def make_room(self) -> bool:
        """Hang up on those who have asked nothing for the longest; False if there are none."""
        ours = (each for each in self.state.connections if isinstance(each, Connection))
        idle = sorted((each for each in ours if each.is_idle), key=lambda each: each.since)
        for connection in idle[: max(1, self.limits.connections // 16)]:  # not one for each caller
            connection.transport.close()
        return bool(idle)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for connection in list(self.state.connections):
            if isinstance(connection, Connection):
                connection.look(now)
        if self.state.connections:
            self.wake()


class Connection(HttpToolsProtocol):
    """HTTP and the upgrade to WebSocket on one connection."""

    def __init__(self, config: uvicorn.Config, warden: Warden, visitors: dict[str, Any]) -> None:
        super().__init__(config, warden.state, visitors)
        self.access_log = False
        self._warden, self._limits = warden, warden.limits
        self._waiting: Waiting = "headers"
        self.since = self.loop.time()  #: of what is waited for, or of the last request
        self._received = 0  # bytes since the present wait began, or the last piece of a body
        self._refused = False
        self._unread: int | None = None  # bytes that the reader has not taken, at the last look
        self._unread_since = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether all that was asked is answered, and nothing has come since."""
        answered = self.cycle is None or self.cycle.response_complete
        return not self._waiting and answered and not self.transport.is_closing()

    # ---- what comes in

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._warden.wake()
        if len(self.connections) > self._limits.connections and not self._warden.make_room():
            if len(self.connections) > 2 * self._limits.connections:
                transport.abort()
            else:
                self._refuse(503, Unavailable.code, "There are too many connections.")

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        if not self._waiting and (self.cycle is None or self.cycle.response_complete):
            self._wait_for("headers")
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._refused:
                self._upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(400, InvalidRequest.code, "This is not HTTP/1.1.")
            return
        if self._waiting and self._received > self._limits.header_bytes:
            self._refuse_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._waiting != "headers":
            self._wait_for("headers")

    def on_header(self, name: bytes, value: bytes) -> None:
        """But for those behind a body: nothing here asks for them."""
        if self._waiting == "headers":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._limits.header_bytes:
            self._refuse_headers()
        if self._refused or self._is_said_again():
            return
        self._wait_for("body")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._received = 0
        if not self._refused:
            if self._waiting == "body":
                self.since = self.loop.time()
            if self.cycle.body or self.cycle.response_complete or self.parser.should_upgrade():
                super().on_body(body)
            else:
                self._take(body)

    def _take(self, body: bytes) -> None:
        """As it is: uvicorn would copy it twice. Reading pauses once a second piece waits."""
        self.cycle.body = body  # type: ignore[assignment]
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._refused or self._is_said_again():
            return
        self._waiting = ""
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            self._rest()

    def _rest(self) -> None:
        """The answer came before the end of the request: from now on the connection is idle."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def on_response_complete(self) -> None:
        """A client that still sends the body of a request that is answered may not go on for
        long, but long enough to read the answer."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and self._waiting == "body":
            self._wait_for("leaving")

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, InvalidRequest.code, msg)

    def _wait_for(self, what: Waiting) -> None:
        self._waiting, self.since, self._received = what, self.loop.time(), 0

    # ---- what goes out

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread, self._unread_since = self._buffered(), self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread = None

    def _buffered(self) -> int:
        return self.transport.get_write_buffer_size()

    # ---- WebSocket

    def _should_upgrade_to_ws(self) -> bool:
        return bool(self.parser.get_method() == b"GET")

    def _upgrade(self, rest: bytes) -> None:
        """To WebSocket; a request that asks for all else is parsed as if it had not asked, as
        the parser leaves out what follows such a head. rest: what that is."""
        if self._should_upgrade():
            self.handle_websocket_upgrade()
        elif self._is_said_again():
            head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
            for name, value in self.headers:
                head += [name, b": ", value, b"\r\n"] if name not in OF_UPGRADES else []
            self.parser = httptools.HttpRequestParser(self)
            self.data_received(b"".join([*head, b"\r\n", rest]))

    def _is_said_again(self) -> bool:
        parser = self.parser
        return parser.should_upgrade() and not (
            parser.get_method() == b"CONNECT" or self._should_upgrade()
        )

    def handle_websocket_upgrade(self) -> None:
        from treadle.server.websocket import WebSocket  # noqa: PLC0415 - 4 MB

        self.ws_protocol_class = WebSocket
        super().handle_websocket_upgrade()

    # ---- the clock

    def look(self, now: float) -> None:
        """Refuse or cut off a client that has taken too long."""
        limits, waited = self._limits, now - self.since
        if self._reader_sleeps(now):
            log.info("cut off %s, which reads nothing", self._name())
            self.transport.abort()
        elif self._waiting == "headers" and waited > limits.header_seconds:
            self._too_slow("The headers took too long.")
        elif self._waiting == "body" and waited > limits.body_seconds and self._body_is_due():
            self._too_slow("The body took too long.")
        elif self._waiting == "leaving" and waited > limits.linger_seconds:
            self.transport.close()

    def _reader_sleeps(self, now: float) -> bool:
        if self._unread is None:
            return False
        left = self._buffered()
        if left != self._unread:
            self._unread, self._unread_since = left, now
        return now - self._unread_since > self._limits.reader_seconds

    def _body_is_due(self) -> bool:
        """Whether it is the client that is waited for, not the one who reads the body."""
        return not self.flow.read_paused and not self.cycle.waiting_for_100_continue

    def _too_slow(self, why: str) -> None:
        if self._received or self._waiting == "body":
            self._refuse(408, "timeout", why)
        else:  # it never began
            self.transport.close()

    # ---- refusing

    def _refuse_headers(self) -> None:
        self._refuse(
            431, TooLarge.code, f"The headers are larger than {self._limits.header_bytes} bytes."
        )

    def _refuse(self, status: int, code: str, why: str) -> None:
        """Answer, unless an answer has begun, and close once the client has had time to read it:
        closing while it still sends would throw the answer away on its side."""
        if self._refused:
            return
        self._refused = True
        log.info("refused %s: %d %s", self._name(), status, why)
        cycle = self.cycle
        if self._waiting == "leaving" and cycle is not None and cycle.response_complete:
            self.transport.close()  # it was answered
            return
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(refusal(status, code, why))
        self._wait_for("leaving")

    def eof_received(self) -> None:
        if self._refused:
            self.transport.close()

    def _name(self) -> str:
        return f"{self.client[0]}:{self.client[1]}" if self.client else "the owner's socket"
