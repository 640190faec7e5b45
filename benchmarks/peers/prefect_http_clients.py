"""Ten clients together, each of which runs flows of one task, recorded by Prefect's server.

The flows run in the clients' own process, which is the quickest that Prefect offers: what is
deployed and begun by the server starts a process for each run. They are asynchronous, since
Prefect ends others up to a second late (it waits for the thread of its heartbeat).
"""

import asyncio
import json
import os
import tempfile
import time

from benchmarks.peers.prefect_server import running_server
from benchmarks.timing import say

CLIENTS = 10
SECONDS = float(os.environ.get("SECONDS", "20"))


async def clients() -> None:
    from prefect import flow, task  # reads its settings when it is imported

    @task
    async def text(obj: list) -> str:
        return json.dumps(obj)

    @flow
    async def one_step() -> str:
        return await text([1, 2, 3])

    async def client(until: float) -> None:
        while time.perf_counter() < until:
            assert await one_step() == "[1, 2, 3]"
            done.append(time.perf_counter())

    done: list[float] = []
    await one_step()
    begin = time.perf_counter()
    await asyncio.gather(*(client(begin + SECONDS) for _ in range(CLIENTS)))
    say(len(done) / (done[-1] - begin), runs=len(done))


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, running_server(home):
    asyncio.run(clients())
