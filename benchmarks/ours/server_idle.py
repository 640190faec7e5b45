"""Resident memory of `treadle up` with two slots that have worked, some seconds later."""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks import one_step
from benchmarks.http_client import Connection
from benchmarks.serving import running_server
from benchmarks.timing import resident_bytes, say, tree

RUNS, REST_SECONDS = 20, 3
BODY = one_step.body()


async def work(url: str, token: str) -> None:
    async def one() -> None:
        async with Connection(url, token) as http:
            assert (await http.ask("POST", "/api/v1/runs?wait=30", BODY))["state"] == "completed"

    await asyncio.gather(*(one() for _ in range(RUNS)))


with running_server(Path(tempfile.mkdtemp()), "--slots", "2") as server:
    asyncio.run(work(server.url, server.token))
    time.sleep(REST_SECONDS)
    pids = tree(server.process.pid)
    say(resident_bytes(pids), processes=len(pids))
