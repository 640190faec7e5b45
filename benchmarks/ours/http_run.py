"""A one-step run over HTTP, from its submission until its end is seen.

The value is that of one request which waits for the end; the note `two_requests` is that of a
submission and a question that waits.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

from benchmarks import one_step
from benchmarks.http_client import Connection
from benchmarks.serving import running_server
from benchmarks.timing import say_median

TIMES = int(os.environ.get("TIMES", "500"))
WARM_UPS = 50
BODY = one_step.body()


async def one_request(http: Connection) -> str:
    run = await http.ask("POST", "/api/v1/runs?wait=30", BODY)
    return str(run["state"])


async def two_requests(http: Connection) -> str:
    made = await http.ask("POST", "/api/v1/runs", BODY)
    run = await http.ask("GET", f"/api/v1/runs/{made['id']}?wait=30&jobs=false")
    return str(run["state"])


async def timed(http: Connection, run: Callable[[Connection], Awaitable[str]]) -> list[float]:
    samples = []
    for _ in range(WARM_UPS + TIMES):
        start = time.perf_counter()
        assert await run(http) == "completed"
        samples.append(time.perf_counter() - start)
    return samples[WARM_UPS:]


async def main() -> None:
    with running_server(Path(tempfile.mkdtemp()), "--slots", "2") as server:
        async with Connection(server.url, server.token) as http:
            one = await timed(http, one_request)
            two = await timed(http, two_requests)
    ninety_nine = sorted(one)[len(one) * 99 // 100]
    say_median(one, two_requests=median(two), p99=ninety_nine)


asyncio.run(main())
