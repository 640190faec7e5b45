"""Many who follow, slow ones, ones that leave, and a server that is started anew under them."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import flows
import treadle
from listening import listening, until
from serving import start_server, stop_server


@pytest.fixture(scope="module")
def joined(server):
    with treadle.local(data_dir=server.data_dir) as client:
        yield client


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@contextmanager
def listening_to(server, path, **options):
    with (
        httpx.Client(base_url=f"{server.url}/api/v1", headers=server.headers, timeout=60) as http,
        listening(http, path, **options) as events,
    ):
        yield events


def dialled(server, path):
    """A socket that has asked for a stream, and need not read."""
    address = urlsplit(server.url)
    dialled = socket.create_connection((address.hostname, address.port), 30)
    lines = (
        f"GET /api/v1{path} HTTP/1.1",
        f"Host: {address.netloc}",
        f"Authorization: Bearer {server.token}",
        "Connection: close",
    )
    dialled.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return dialled


def all_of(dialled):
    with closing(dialled):
        return b"".join(iter(lambda: dialled.recv(65536), b""))


def body_of(data):
    """The bytes of a chunked answer."""
    head, _, rest = data.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


def test_a_hundred_followers_are_told_the_same(server, joined, pipe):
    run = joined.submit(flows.announcing, gate=str(pipe))
    path = f"/runs/{run.id}/events?kind=job,run"
    with listening_to(server, path) as events, ThreadPoolExecutor(100) as pool:
        until(events, "job.output")
        followers = [pool.submit(all_of, dialled(server, path)) for _ in range(100)]
        pipe.write_bytes(b"go")
        lines = {_numbered(body_of(each.result(60))) for each in followers}
    (told,) = lines
    assert told[0].startswith("id: 1") and "run.completed" in told[-1]
    assert [block.splitlines()[0] for block in told] == [f"id: {n + 1}" for n in range(len(told))]


def _numbered(body):
    return tuple(block for block in body.decode().split("\n\n") if block.startswith("id: "))


def test_a_follower_that_never_reads_delays_nobody(server, joined):
    # Given more than the kernel keeps for a connection (some 4 MB)
    run = joined.submit(flows.chattering, lines=200_000)
    path = f"/runs/{run.id}/events?output=true"
    deaf = dialled(server, path)
    # When others follow as well
    with listening_to(server, path) as events:
        told = list(events)
    ids = [int(each.id) for each in told if each.id]
    assert ids == list(range(1, len(ids) + 1))
    assert told[-1].kind == "run.completed"
    # Then it, too, can be told all that has a number, once it reads
    body = body_of(all_of(deaf))
    assert ids == [int(line[4:]) for line in body.splitlines() if line.startswith(b"id: ")]


def test_a_follower_that_fell_behind_misses_nothing(server, joined):
    run = joined.submit(flows.many, count=2000)
    slow = dialled(server, f"/runs/{run.id}/events")
    assert run.wait()  # in the meantime, it read nothing
    body = body_of(all_of(slow))
    ids = [int(line[4:]) for line in body.splitlines() if line.startswith(b"id: ")]
    assert ids == list(range(1, len(ids) + 1))
    assert b"run.completed" in body.splitlines()[-2]


def test_followers_that_leave_give_their_seats_back(server, owner, joined, pipe):
    run = joined.submit(flows.holding, gate=str(pipe))
    with listening_to(server, "/events?kind=run"):
        sockets = [dialled(server, f"/runs/{run.id}/events") for _ in range(20)]
        for each in sockets:
            assert each.recv(1)
        assert owner.get("/health").json()["followers"] == 21
        for each in sockets:
            each.close()
        while owner.get("/health").json()["followers"] > 1:
            pass
    pipe.write_bytes(b"go")
    run.wait()


def test_a_server_may_open_more_files_than_it_was_started_with(server):
    soft, hard = _open_files(Path(f"/proc/{server.process.pid}/limits").read_text())
    assert soft == hard or soft >= 65536


def _open_files(limits):
    (line,) = [each for each in limits.splitlines() if each.startswith("Max open files")]
    return [int(each) if each.isdecimal() else 2**62 for each in line.split()[3:5]]


def test_who_goes_on_after_the_server_died_misses_and_doubles_nothing(tmp_path):
    data_dir, pipe = tmp_path / "state", tmp_path / "gate"
    os.mkfifo(pipe)
    server = start_server(data_dir, "--slots", "1")
    port = str(urlsplit(server.url).port)
    try:
        with treadle.local(data_dir=data_dir) as client:
            run_id = client.submit(flows.announcing, gate=str(pipe)).id
        with listening_to(server, f"/runs/{run_id}/events") as events:
            first = until(events, "job.output")
            server.process.kill()
            server.ended()
            with pytest.raises(httpx.TransportError):
                first += events
        stop_server(server)
        server = start_server(data_dir, "--slots", "1", "--port", port)
        threading.Thread(target=pipe.write_bytes, args=(b"go",), daemon=True).start()
        last = [each.id for each in first if each.id][-1]
        with listening_to(server, f"/runs/{run_id}/events", last_id=last) as events:
            second = list(events)
    finally:
        stop_server(server)
    numbers = [int(each.id) for each in first + second if each.id]
    assert numbers == list(range(1, len(numbers) + 1))
    assert second[-1].kind == "run.completed"
