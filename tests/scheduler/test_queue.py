"""Who goes first, and who waits."""

import anyio
from scripts import DONE, holds

from samples import a_submission
from treadle.engine.memory import MemoryEngine
from treadle.interfaces import Capacity
from treadle.model.orders import AttemptKey
from treadle.model.records import Execution
from treadle.model.states import RunState


def test_runs_of_a_pipeline_wait_for_its_limit_and_then_go_by_priority(desk):
    async def main():
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine) as scheduler:
            first = await scheduler.submit(a_submission({"a": []}, concurrency=1))
            low = await scheduler.submit(a_submission({"a": []}, concurrency=1))
            high = await scheduler.submit(a_submission({"a": []}, concurrency=1, priority=1))
            other = await scheduler.submit(a_submission({"a": []}, concurrency=1, name="other"))
            assert desk.run(low.id).state is RunState.QUEUED
            assert desk.jobs(low.id)["a"].reason == "limit"
            for run in (first, other, high, low):
                while desk.states(run.id)["a"] != "running":
                    await anyio.lowlevel.checkpoint()
                engine.end(AttemptKey(desk.jobs(run.id)["a"].id, 1), DONE)
                assert await scheduler.wait(run.id, timeout_seconds=5)
            # an aborted run that never started makes room too
            a = await scheduler.submit(a_submission({"a": []}, concurrency=1))
            b = await scheduler.submit(a_submission({"a": []}, concurrency=1))
            await scheduler.abort(b.id)
            assert desk.run(b.id).state is RunState.ABORTED
            await scheduler.abort(a.id)
            assert await scheduler.wait(a.id, timeout_seconds=5)

    anyio.run(main)


def test_higher_priority_goes_first(desk):
    async def main():
        engine = MemoryEngine(holds, capacity=Capacity(slots=1, cpus=1, memory_bytes=1))
        async with desk.scheduler(engine) as scheduler:
            await scheduler.submit(a_submission({"busy": []}))
            while not engine.alive:
                await anyio.lowlevel.checkpoint()
            await scheduler.submit(a_submission({"low": []}))
            await scheduler.submit(a_submission({"high": []}, priority=5))
            for _ in range(2):
                before = len(engine.orders)
                engine.end(next(iter(engine.alive)), DONE)
                while len(engine.orders) == before:
                    await anyio.lowlevel.checkpoint()
        return [o.step for o in engine.orders]

    assert anyio.run(main) == ["busy", "high", "low"]


def test_a_large_job_is_passed_by_only_for_so_long(desk):
    async def main():
        engine = MemoryEngine(holds, capacity=Capacity(slots=4, cpus=2, memory_bytes=1))
        async with desk.scheduler(engine) as scheduler:
            await scheduler.submit(a_submission({"small": []}))
            await scheduler.submit(a_submission({"large": []}, Execution(cpus=2)))
            await scheduler.submit(a_submission({"passes": []}))
            while len(engine.orders) < 2:
                await anyio.lowlevel.checkpoint()
            # When the large one has waited long
            desk.clock.forward(60)
            await scheduler.submit(a_submission({"waits": []}))
            for _ in range(3):  # Then what becomes free is kept for it
                if not engine.alive:
                    break
                engine.end(next(iter(engine.alive)), DONE)
                for _ in range(50):
                    await anyio.lowlevel.checkpoint()
        return [o.step for o in engine.orders]

    assert anyio.run(main) == ["small", "passes", "large", "waits"]
