"""A flow of one task, recorded by Prefect's server over HTTP; it runs in the client's process.

It is asynchronous, since Prefect ends others up to a second late (it waits for the thread of its
heartbeat).
"""

import asyncio
import json
import os
import tempfile
import time

from benchmarks.peers.prefect_server import running_server
from benchmarks.timing import say_median

TIMES = int(os.environ.get("TIMES", "30"))
WARM_UPS = 3


async def client() -> None:
    from prefect import flow, task  # reads its settings when it is imported

    @task
    async def text(obj: list) -> str:
        return json.dumps(obj)

    @flow
    async def one_step() -> str:
        return await text([1, 2, 3])

    samples = []
    for _ in range(WARM_UPS + TIMES):
        start = time.perf_counter()
        assert await one_step() == "[1, 2, 3]"
        samples.append(time.perf_counter() - start)
    say_median(samples[WARM_UPS:])


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, running_server(home):
    asyncio.run(client())
