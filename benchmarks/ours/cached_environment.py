"""What a cached environment costs: `true` as a step in one, over the same without."""

import asyncio
import time
from statistics import median

from benchmarks.ours.engine_orders import Follower, a_folder, an_engine
from benchmarks.timing import say
from treadle.model.records import OWN_ENVIRONMENT, Environment

TIMES = 40


async def main() -> None:
    folder = a_folder()
    environment = Environment(requirements=("six",))
    async with an_engine(folder) as engine:
        follower = Follower(engine, folder)
        following = asyncio.create_task(follower.follow())
        for _ in range(3):
            await follower.started(environment)
            await follower.started()
        samples: dict[bool, list[float]] = {True: [], False: []}
        for number in range(2 * TIMES):
            cached = number % 2 == 0
            start = time.perf_counter()
            await follower.started(environment if cached else OWN_ENVIRONMENT)
            samples[cached].append(time.perf_counter() - start)
        following.cancel()
    say(median(samples[True]) - median(samples[False]), step_seconds=median(samples[False]))


asyncio.run(main())
