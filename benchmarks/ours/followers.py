"""A run that 1,000 follow, to the same run that nobody follows.

It is a chain of steps of a second of work. Each makes two batches of events: from its end to the
start of the next, and its metric halfway. Followers are sockets in a process of their own, which
are there before the work begins. Runs with and without them alternate.
"""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import treadle
from benchmarks.serving import Server, running_server
from benchmarks.timing import cpu_seconds, resident_bytes, say
from treadle import pipeline, tool
from treadle.client import Client

FOLLOWERS = int(os.environ.get("FOLLOWERS", "1000"))
STEPS, PAIRS = int(os.environ.get("STEPS", "6")), int(os.environ.get("PAIRS", "3"))
OPEN_FILES = 8192


@tool
def wait_for(gate: str) -> int:
    return len(Path(gate).read_bytes())


@tool
def work(_before: int, rounds: int) -> int:
    for number in range(rounds):
        sum(range(1000))
        if number == rounds // 2:
            treadle.log_metric("loss", 0.5)
    return rounds


@pipeline
def followed(gate: str, steps: int, rounds: int):
    last = wait_for(gate)
    for _ in range(steps):
        last = work(last, rounds)
    return last


def rounds_of(seconds: float) -> int:
    """How many rounds of work fill so much time here and now."""
    start = time.perf_counter()
    for _ in range(3000):
        sum(range(1000))
    return int(3000 * seconds / (time.perf_counter() - start))


def run_once(client: Client, server: Server, followers: int, rounds: int) -> dict:
    """Seconds from the gate's opening to the run's end, and what the server spent in them."""
    gate = Path(tempfile.mkdtemp()) / "gate"
    os.mkfifo(gate)
    run = client.submit(followed, gate=str(gate), steps=STEPS, rounds=rounds)
    pid = server.process.pid
    resting = resident_bytes({pid})
    command = [sys.executable, __file__, server.url, server.token, run.id, str(followers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as crowd:
        assert crowd.stdout is not None and crowd.stdout.readline() == "ready\n"
        each = (resident_bytes({pid}) - resting) / max(followers, 1)
        spent, start = cpu_seconds(pid), time.perf_counter()
        gate.write_bytes(b"go")
        run.wait()
        took = time.perf_counter() - start
        told = crowd.stdout.readline().strip()
    return {
        "took": took,
        "server_cpu": (cpu_seconds(pid) - spent) / took,
        "bytes_each": each,
        "told": told,
    }


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    rounds = rounds_of(1.0)
    data_dir = Path(tempfile.mkdtemp())
    with (
        running_server(data_dir, "--slots", "1") as server,
        treadle.local(data_dir=data_dir) as client,
    ):
        first = run_once(client, server, FOLLOWERS, rounds // 10)
        alone, among = [], []
        for _ in range(PAIRS):
            alone.append(run_once(client, server, 0, rounds))
            among.append(run_once(client, server, FOLLOWERS, rounds))
    ratios = [many["took"] / none["took"] for none, many in zip(alone, among, strict=True)]
    say(
        median(ratios),
        ratios,
        server_cpu=[round(each["server_cpu"], 3) for each in among],
        server_cpu_alone=[round(each["server_cpu"], 3) for each in alone],
        bytes_each=round(first["bytes_each"]),
        told=among[-1]["told"],
        seconds=[round(each["took"], 3) for each in alone],
    )


# The crowd: many sockets in one process.


class Follower(asyncio.Protocol):
    """One connection that counts what it is told."""

    def __init__(self, request: bytes) -> None:
        self.request, self.told = request, 0
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.told += data.count(b"\nid: ") + data.startswith(b"id: ")
        if not self.answered.done():
            self.answered.set_result(None)

    def connection_lost(self, error) -> None:
        self.ended.set_result(None)


async def crowd(url: str, token: str, run_id: str, count: int) -> None:
    address, loop = urlsplit(url), asyncio.get_running_loop()
    request = (
        f"GET /api/v1/runs/{run_id}/events HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    ).encode()
    followers = []
    for _ in range(count):
        _, follower = await loop.create_connection(
            lambda: Follower(request), address.hostname, address.port
        )
        await follower.answered
        followers.append(follower)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for each in followers:
        await each.ended
    sys.stdout.write(f"{sorted({each.told for each in followers})}\n")


if sys.argv[1:]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    asyncio.run(crowd(*sys.argv[1:4], int(sys.argv[4])))
else:
    main()
