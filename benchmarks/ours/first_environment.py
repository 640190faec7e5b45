"""The first step in an environment, to `uv venv && uv pip install` of the same packages.

TREADLE_BENCH_REPEATS takes fewer. What is built is in uv's cache for both.
"""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.ours.engine_orders import Follower, a_folder, an_engine
from benchmarks.timing import say
from treadle.engine.local.builders import SLOT_PACKAGES, find_uv
from treadle.engine.local.pip_settings import uv_variables
from treadle.model.records import Environment

REPEATS = int(os.environ.get("TREADLE_BENCH_REPEATS", "7"))
PACKAGES = "numpy", "pandas", "requests", "rich"


def bare(folder: Path) -> float:
    uv = find_uv() or "uv"
    environ = {**os.environ, **uv_variables(os.environ), "UV_NO_PROGRESS": "1"}
    create = [uv, "venv", "--no-project", "--python", sys.executable, "venv"]
    install = [uv, "pip", "install", "--python", "venv/bin/python", *PACKAGES, *SLOT_PACKAGES]
    start = time.perf_counter()
    for command in (create, install):
        subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    return time.perf_counter() - start


async def ours(folder: Path) -> float:
    async with an_engine(folder) as engine:
        follower = Follower(engine, folder)
        following = asyncio.create_task(follower.follow())
        await follower.started()
        start = time.perf_counter()
        await follower.started(Environment(requirements=PACKAGES))
        seconds = time.perf_counter() - start
        following.cancel()
    return seconds


def main() -> None:
    bare(a_folder())  # fills uv's cache
    pairs = [(asyncio.run(ours(a_folder())), bare(a_folder())) for _ in range(REPEATS)]
    mine, theirs = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    say(mine / theirs, [a / b for a, b in pairs], ours_seconds=mine, uv_seconds=theirs)


main()
