"""How long a statement takes in a bare interpreter: `import_time.py "import treadle"`."""

import subprocess
import sys

from benchmarks.timing import say_median

TIMED = "import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"


def main(statement: str) -> None:
    command = [sys.executable, "-c", TIMED.format(statement=statement)]
    samples = [
        float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(6)
    ]
    say_median(samples[1:])  # the first one warmed the file cache


main(sys.argv[1])
