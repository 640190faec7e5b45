"""`treadle up`, from its start until it has told where it is and answers."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.timing import say_median

TIMES = int(os.environ.get("TIMES", "7"))


def ready() -> float:
    command = [sys.executable, "-m", "treadle", "up", "--json", "--port", "0", "--slots", "2"]
    data_dir = Path(tempfile.mkdtemp())
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--data-dir", str(data_dir)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            with urllib.request.urlopen(f"{url}/api/v1/health/ready") as answer:
                assert answer.status == 200
            return time.perf_counter() - start
        finally:
            process.terminate()


say_median([ready() for _ in range(1 + TIMES)][1:])
