"""Ray: from the end of the task that made a 512 MB array to the sum that another took of it."""

import time
from statistics import median

import numpy as np
import ray

import ray_here
from benchmarks.timing import say, seconds

LENGTH = 512 * 1024 * 1024 // 8


@ray.remote
def make(seed: int) -> np.ndarray:
    return np.full(LENGTH, float(seed))


@ray.remote
def total(data: np.ndarray) -> float:
    return float(data.sum())


def handed_over(seed: int) -> float:
    array = make.remote(seed)
    ray.wait([array])
    start = time.perf_counter()
    assert ray.get(total.remote(array)) == seed * LENGTH
    return time.perf_counter() - start


def main() -> None:
    ray_here.start(object_store_memory=3 * 1024**3)
    in_place = np.full(LENGTH, 1.0)
    floor = min(seconds(in_place.sum) for _ in range(5))
    del in_place
    samples = [handed_over(seed) for seed in range(1, 6)][1:]
    say(median(samples) - floor, [s - floor for s in samples], in_place_sum=floor)


main()
