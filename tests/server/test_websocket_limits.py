"""What a WebSocket client may make the server hold, on real sockets."""

import contextlib
import os
import socket
from collections import deque

import pytest
from anyio.from_thread import start_blocking_portal

from treadle.api.http.traffic import Traffic
from treadle.server.doors import Door
from treadle.server.serving import serving

SHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MASK = b"\0\0\0\0"
PING = b"\x89\xfd" + MASK + b"a" * 125
TEXT = b"\x81\x84" + MASK + b"text"
BEGIN, NOTHING_MORE = b"\x01\x80" + MASK, b"\x00\x80" + MASK
BINARY = b"\x82\x80" + MASK
CLOSE = b"\x88\x82" + MASK + b"\x03\xe8"
heard: deque[dict] = deque()


async def app(scope, receive, send):
    """Accepts, and notes what it is told until the client leaves."""
    heard.append(await receive())
    await send({"type": "websocket.accept"})
    while heard[-1]["type"] != "websocket.disconnect":
        heard.append(await receive())


@pytest.fixture
def connection():
    """A client whose upgrade was accepted."""
    heard.clear()
    listening = socket.create_server(("127.0.0.1", 0))
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(app, [Door(socket=listening)], Traffic())),
        socket.create_connection(listening.getsockname(), timeout=30) as made,
    ):
        made.sendall(SHAKE)
        while not made.recv(4096).endswith(b"\r\n\r\n"):
            pass
        yield made


def test_what_a_client_says_is_thrown_away_in_whatever_pieces_it_comes(connection):
    connection.sendall(TEXT * 1000 + BINARY + BEGIN + NOTHING_MORE * 1000 + CLOSE)

    with contextlib.suppress(ConnectionResetError):
        while connection.recv(4096):
            pass
    assert [each["type"] for each in heard] == ["websocket.connect", "websocket.disconnect"]


def test_a_client_that_reads_no_answers_to_its_pings_is_not_listened_to(connection):
    connection.settimeout(2.0)  # for the buffers of both sides to fill
    with pytest.raises(TimeoutError):
        for _ in range(100):
            connection.sendall(PING * 8000)  # a megabyte
    connection.settimeout(30)

    answer, rest = b"", 2**20
    while rest:  # what it owes is read, so it is listened to again
        answer = connection.recv(min(rest, 2**16))
        rest -= len(answer)
    assert answer


def test_pings_are_answered(connection):
    payload = os.urandom(4)
    masked = b"\x89\x84" + MASK + payload
    connection.sendall(masked)

    assert connection.recv(6) == b"\x8a\x04" + payload
