"""From the end of the step that made a 512 MB array to the end of the step that summed it."""

import tempfile
from statistics import median

import numpy as np

import treadle
from benchmarks.timing import say, seconds
from treadle import pipeline, tool

LENGTH = 512 * 1024 * 1024 // 8


@tool
def make(seed: int) -> np.ndarray:
    return np.full(LENGTH, float(seed))


@tool
def total(data: np.ndarray) -> float:
    return float(data.sum())


@pipeline
def hand_over(seed: int):
    return total(make(seed))


def main() -> None:
    in_place = np.full(LENGTH, 1.0)
    floor = min(seconds(in_place.sum) for _ in range(5))
    del in_place
    with treadle.local(slots=2, data_dir=tempfile.mkdtemp()) as local:

        def handed_over(seed: int) -> float:
            run = local.run(hand_over, seed=seed)
            assert run["total"].result() == seed * LENGTH
            made, summed = run["make"].refresh().ended_at, run["total"].refresh().ended_at
            return float((summed - made).total_seconds())

        samples = [handed_over(seed) - floor for seed in range(1, 6)][1:]
        say(median(samples), samples, in_place_sum=floor)


main()
