"""A process that owns a data directory, acknowledges runs of small jobs and works until all end.

python stream.py DATA_DIR EFFECTS_DIR RUNS STEPS
"""

import os
import random
import sys
import time
from pathlib import Path

import treadle
from treadle import pipeline, tool

SCRIPTS = 20  #: of the steps of each run


@tool(retries=20, backoff=0.01, retry_on=("crashed",))
def small(effects: str, name: str, n: int) -> int:
    """Leave a trace; now and then leave a daemonised grandchild as well."""
    if n % 50 == 7 and os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    time.sleep(0.3 if n % 50 == 7 else random.random() / 100)
    with Path(effects, name).open("a") as trace:
        trace.write(f"{n}\n")
    return n


@tool(retries=20, backoff=0.01, retry_on=("crashed",))
def add(numbers: list) -> int:
    return sum(numbers)


traced = treadle.script("traced.py", retries=20, backoff=0.01, retry_on=("crashed",))


@pipeline
def stream(effects: str, name: str, steps: int):
    for n in range(steps, steps + SCRIPTS):
        traced(effects=effects, name=name, n=n)
    return add([small(effects, name, n) for n in range(steps - SCRIPTS - 1)])


def main() -> None:
    data_dir, effects, runs, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with treadle.local(slots=2, data_dir=data_dir) as t:
        sys.stdout.write(f"owner {os.getpid()}\n")
        sys.stdout.flush()
        for _ in range(runs):
            run = t.submit(stream, effects=effects, name=f"{time.time_ns()}", steps=steps)
            sys.stdout.write(f"accepted {run.id}\n")
            sys.stdout.flush()
        while unfinished := [r for s in ("queued", "running") for r in t.runs(state=s)]:
            unfinished[0].wait()
        sys.stdout.write("all ended\n")


if __name__ == "__main__":
    main()
