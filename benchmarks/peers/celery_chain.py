"""Celery on Redis: a chain of 100 tasks. Durable as far as Redis's append-only file is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from redis_server import serving

LENGTH = 100
WORKER = (
    "celery -A celery_app worker --concurrency 2 --pool prefork --loglevel ERROR --without-gossip"
    " --without-mingle"
)


def main() -> None:
    here = Path(__file__).parent
    with serving() as url:
        os.environ["BENCHMARK_REDIS"] = url
        worker = subprocess.Popen(
            [sys.executable, "-m", *WORKER.split()],
            cwd=here,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            measure()
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()


def measure() -> None:
    from celery import chain

    from benchmarks.timing import repeat, say_median
    from celery_app import add_one

    def run(start: int) -> None:
        steps = chain(add_one.s(start), *(add_one.s() for _ in range(LENGTH - 1)))
        result = steps.apply_async()
        assert result.get(timeout=60, interval=0.001) == start + LENGTH

    say_median(repeat(run, times=7, warm_ups=2))


main()
