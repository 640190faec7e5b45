"""The steps of the pipeline: plain functions, which can be called and tested as such."""

import random
from statistics import fmean, linear_regression

import treadle

Point = tuple[float, float]


def measure(count: int, noise: float, seed: int) -> list[Point]:
    """Measurements of a line that nobody knows, with some noise."""
    chance = random.Random(seed)
    places = [10 * number / count for number in range(count)]
    return [(x, 2 * x + 1 + chance.gauss(0, noise)) for x in places]


def fit(points: list[Point]) -> dict[str, float]:
    """The straight line that lies closest to the points."""
    slope, start = linear_regression([x for x, _ in points], [y for _, y in points])
    treadle.log_metric("slope", slope)
    return {"slope": slope, "start": start}


def judge(points: list[Point], line: dict[str, float]) -> str:
    """How far the points are from the line."""
    error = fmean((line["start"] + line["slope"] * x - y) ** 2 for x, y in points) ** 0.5
    treadle.log_metric("error", error)
    return f"y = {line['slope']:.3f} x + {line['start']:.3f}, give or take {error:.3f}"
