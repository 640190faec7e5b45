"""From nothing to a first durable result. The time is taken outside."""

import tempfile

import treadle
from benchmarks.timing import say
from treadle import pipeline, tool


@tool
def answer() -> int:
    return 42


@pipeline
def ask():
    return answer()


with treadle.local(slots=2, data_dir=tempfile.mkdtemp()) as local:
    say(local.run(ask)["answer"].result())
