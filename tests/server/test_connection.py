"""Connections of clients that are slow, rude or endless, on real sockets."""

import contextlib
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from treadle.api.http.traffic import Traffic
from treadle.server.connection import Limits
from treadle.server.doors import Door
from treadle.server.serving import serving

QUICK = Limits(
    connections=8,
    header_seconds=0.3,
    body_seconds=0.3,
    reader_seconds=0.3,
    linger_seconds=0.3,
    look_seconds=0.05,
)
PIECE = b"x" * 2**20


async def app(scope, receive, send):
    """/endless is more than any buffer holds, /refuse reads no body, /headers counts headers,
    all else the bytes of the body."""
    size = 0
    if scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        return
    while scope["path"] != "/refuse":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    body = str(len(scope["headers"]) if scope["path"] == "/headers" else size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def served(**changes):
    """(host, port) of the app."""
    limits = replace(QUICK, **changes)
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(
            serving(app, [Door(socket=listening)], Traffic(), limits)
        ),
    ):
        yield address


@pytest.fixture
def address():
    with served() as found:
        yield found


def call(address):
    return socket.create_connection(address, timeout=30)


def all_of(connection) -> bytes:
    """What comes until the server closes; a reset counts as its end."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(2**16):
            found += piece
    return found


def answer_of(connection) -> bytes:
    """One answer with a body of one byte."""
    found = b""
    while not found.partition(b"\r\n\r\n")[2]:
        found += connection.recv(4096)
    return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_headers_that_never_end_are_answered_408(address):
    with call(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")

        answer = all_of(connection)

    assert status_of(answer) == 408
    assert b"urn:treadle:error:timeout" in answer


def test_headers_that_come_a_byte_at_a_time_are_answered_408(address):
    with call(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        ended = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not ended.wait(0.02):
                    connection.sendall(b"a")

        dripping = threading.Thread(target=drip)
        dripping.start()
        answer = all_of(connection)
        ended.set()
        dripping.join()

    assert status_of(answer) == 408


def test_a_caller_who_says_nothing_is_hung_up_on_without_a_word(address):
    with call(address) as connection:
        assert all_of(connection) == b""


def test_empty_lines_do_not_keep_a_connection_open(address):
    with call(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer_of(connection).endswith(b"0")
        connection.sendall(b"\r\n")

        assert status_of(all_of(connection)) == 408


def test_half_a_body_is_answered_408(address):
    with call(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")

        assert status_of(all_of(connection)) == 408


def test_a_body_that_comes_slowly_but_comes_is_taken():
    with served(body_seconds=2.0) as address, call(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            time.sleep(0.4)  # together longer than the limit
            connection.sendall(b"x")

        assert answer_of(connection).endswith(b"\r\n\r\n8")


@pytest.mark.parametrize("size", [65 * 2**10, 10 * 2**20])
def test_headers_without_measure_are_answered_431(address, size):
    with call(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * size + b"\r\n\r\n")

        answer = all_of(connection)

    assert status_of(answer) == 431
    assert b"connection: close" in answer


@pytest.mark.parametrize("endless", [b"0\r\nX-Large: ", b"0\r\n" + b"X: y\r\n" * 999, b"1;"])
def test_what_stands_between_pieces_of_a_body_or_behind_it_has_a_measure_too(endless):
    with served(body_seconds=30.0) as address, call(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"1\r\nx\r\n" + endless)
        with contextlib.suppress(OSError):  # it hangs up on us
            for _ in range(100):
                connection.sendall(b"X" * 2**16 if b"y" not in endless else b"X: y\r\n" * 2**13)

        assert status_of(all_of(connection)) == 431


def test_headers_behind_a_body_count_for_nothing(address):
    with call(address) as connection:
        connection.sendall(
            b"POST /headers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(b"1\r\nx\r\n0\r\nHost: y\r\nAuthorization: z\r\n\r\n")

        assert answer_of(connection).endswith(b"2")


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_a_request_for_a_protocol_that_is_not_here_is_answered_as_it_stands(address, protocol):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + protocol
    with call(address) as connection:
        for _ in range(2):
            connection.sendall(head + b"\r\nContent-Length: 4\r\n\r\nbo")
            connection.sendall(b"dy")

            assert answer_of(connection).endswith(b"4")


def test_a_target_without_measure_is_answered_431(address):
    with call(address) as connection:
        connection.sendall(b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nHost: x\r\n\r\n")

        assert status_of(all_of(connection)) == 431


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client at a plain door
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_answered_400(address, sent):
    with call(address) as connection:
        connection.sendall(sent)

        answer = all_of(connection)

    assert status_of(answer) == 400


def test_a_reader_who_takes_nothing_is_cut_off(address):
    with call(address) as connection:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1, socket.MSG_PEEK)
        time.sleep(1.0)  # that it reads nothing is what is tested

        assert len(all_of(connection)) < 100 * len(PIECE)


def test_one_caller_too_many_is_answered_503_and_those_before_go_on():
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(served(body_seconds=30.0))
        before = [stack.enter_context(call(address)) for _ in range(QUICK.connections)]
        for connection in before:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        late = stack.enter_context(call(address))

        assert status_of(all_of(late)) == 503
        for connection in before:
            connection.sendall(b"done")
            assert answer_of(connection).endswith(b"4")


def test_those_who_ask_nothing_make_room_for_those_who_do():
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(served(body_seconds=30.0))
        busy, *idle = [stack.enter_context(call(address)) for _ in range(QUICK.connections)]
        busy.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        for connection in idle:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer_of(connection).endswith(b"0")
        late = stack.enter_context(call(address))
        late.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

        assert answer_of(late).endswith(b"0")
        assert all_of(idle[0]) == b""
        for connection in (busy, *idle[1:]):
            connection.sendall(
                b"done" if connection is busy else b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            assert status_of(answer_of(connection)) == 200


def test_a_request_that_is_refused_before_its_body_is_read_may_not_send_on_for_ever(address):
    with call(address) as connection:
        connection.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        assert status_of(answer_of(connection)) == 200

        with pytest.raises(OSError):  # reset or broken pipe
            while True:
                connection.sendall(PIECE)


def test_a_request_that_is_refused_before_its_short_body_leaves_the_connection_of_use(address):
    with call(address) as connection:
        for _ in range(3):
            connection.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
            assert status_of(answer_of(connection)) == 200
            connection.sendall(b"body")


def test_requests_may_come_several_at_a_time(address):
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    with call(address) as connection:
        connection.sendall(one * 20)
        found = b""
        while found.count(b"HTTP/1.1 200") < 20:
            found += connection.recv(4096)

    assert found.count(b"\r\n\r\n3") >= 19


def test_the_owners_socket_is_open_when_strangers_take_all_connections(tmp_path: Path):
    owners = socket.socket(socket.AF_UNIX)
    owners.bind(str(tmp_path / "s"))
    owners.listen()
    public = socket.create_server(("127.0.0.1", 0))
    address = public.getsockname()
    doors = [Door(socket=owners, trusted=True), Door(socket=public)]
    few = Limits(connections=1)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(app, doors, Traffic(), few)),
        call(address),
        call(address) as late,
        socket.socket(socket.AF_UNIX) as mine,
    ):
        assert status_of(all_of(late)) == 503
        mine.connect(str(tmp_path / "s"))
        mine.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status_of(answer_of(mine)) == 200
