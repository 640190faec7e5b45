"""Ray: a chain of 100 tasks, each given the result of the one before. Not durable."""

import ray

import ray_here
from benchmarks.timing import repeat, say_median

LENGTH = 100


@ray.remote
def add_one(number: int) -> int:
    return number + 1


def chain(start: int) -> None:
    result = start
    for _ in range(LENGTH):
        result = add_one.remote(result)
    assert ray.get(result) == start + LENGTH


ray_here.start()
say_median(repeat(chain, times=7, warm_ups=2))
