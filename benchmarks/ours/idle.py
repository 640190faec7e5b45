"""Resident memory of the process with the server in it, its fork server and two warm slots."""

import os
import tempfile
import time

import treadle
from benchmarks.timing import resident_bytes, say, tree
from treadle import pipeline, tool


@tool
def nap(number: int) -> int:
    time.sleep(0.5)
    return number


@pipeline
def warm_up():
    return [nap(number) for number in range(4)]


with treadle.local(slots=2, data_dir=tempfile.mkdtemp()) as local:
    assert local.run(warm_up).state == "completed"
    time.sleep(3)
    pids = tree(os.getpid())
    say(resident_bytes(pids), processes=len(pids))
