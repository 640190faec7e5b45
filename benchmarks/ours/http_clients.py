"""Ten clients together, each of which submits one-step runs over HTTP and sees them done.

The clients share one process and its loop, which speaks HTTP with as little of it as will do: on
two cores it leaves the server one, and the slots what is left.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks import one_step
from benchmarks.http_client import Connection
from benchmarks.serving import Server, running_server
from benchmarks.timing import say

CLIENTS = 10
SECONDS = float(os.environ.get("SECONDS", "5"))
WARM_UP_SECONDS = 1.0
BODY = one_step.body()


async def client(server: Server, until: float, done: list[float]) -> None:
    async with Connection(server.url, server.token) as http:
        while time.perf_counter() < until:
            run = await http.ask("POST", "/api/v1/runs?wait=30", BODY)
            assert run["state"] == "completed"
            done.append(time.perf_counter())


async def main() -> None:
    with running_server(Path(tempfile.mkdtemp()), "--slots", "2") as server:
        begin = time.perf_counter() + WARM_UP_SECONDS
        done: list[float] = []
        clients = [client(server, begin + SECONDS, done) for _ in range(CLIENTS)]
        await asyncio.gather(*clients)
    counted = [at for at in done if begin <= at < begin + SECONDS]
    say(len(counted) / SECONDS, runs=len(counted))


asyncio.run(main())
