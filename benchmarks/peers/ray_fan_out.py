"""Ray: 10,000 tasks beside one another, then one that needs them all. Not durable."""

import ray

import ray_here
from benchmarks.timing import repeat, say

MANY, FEW = 10_000, 100


@ray.remote
def double(number: int) -> int:
    return 2 * number


def fan_out(width: int) -> None:
    results = ray.get([double.remote(n) for n in range(width)])
    assert results[-1] == 2 * (width - 1)


ray_here.start()
few = min(repeat(lambda _: fan_out(FEW), times=5, warm_ups=2)) / FEW
samples = [s / MANY for s in repeat(lambda _: fan_out(MANY), times=1, warm_ups=0)]
say(min(samples), samples, to_few=min(samples) / few)
