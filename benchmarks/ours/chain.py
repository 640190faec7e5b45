"""A chain of 100 steps, durable, each given the result of the one before."""

import tempfile

import treadle
from benchmarks.timing import repeat, say_median
from treadle import pipeline, tool

LENGTH = 100


@tool
def add_one(number: int) -> int:
    return number + 1


@tool
def last(number: int) -> int:
    return number + 1


@pipeline
def chain(start: int = 0):
    result = start
    for _ in range(LENGTH - 1):
        result = add_one(result)
    return last(result)


def main() -> None:
    with treadle.local(slots=2, data_dir=tempfile.mkdtemp()) as local:

        def run(start: int) -> None:
            assert local.run(chain, start=start)["last"].result() == start + LENGTH

        say_median(repeat(run, times=7, warm_ups=2))


main()
