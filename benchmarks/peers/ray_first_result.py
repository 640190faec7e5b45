"""Ray: from nothing to a first result. The time is taken outside, around the whole process."""

import ray

import ray_here
from benchmarks.timing import say


@ray.remote
def answer() -> int:
    return 42


ray_here.start()
say(ray.get(answer.remote()))
