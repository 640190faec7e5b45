"""A script step that leaves a trace."""

import time
from pathlib import Path

import treadle

given = treadle.parameters
time.sleep(0.02)
with Path(given["effects"], given["name"]).open("a") as trace:
    trace.write(f"{given['n']}\n")
