"""What goes wrong around the scheduler does not stop it, nor leave anything waiting for ever."""

from dataclasses import replace

import anyio
import pytest
from scripts import BOOM, DONE, TWO, fails, holds

from samples import HandClock, a_submission, settled
from treadle.engine.memory import MemoryEngine
from treadle.errors import StorageFull, Unavailable
from treadle.interfaces import RunFilter, SystemClock
from treadle.model.orders import Ended, Measured, Printed, Report, Started
from treadle.model.records import Execution, FailureType


def test_a_held_back_retry_goes_when_there_is_room_again(desk):
    async def main():
        bad = {"b": True}
        engine = MemoryEngine(
            lambda o: BOOM if bad["b"] and o.step == "b" else DONE if o.step != "hold" else holds(o)
        )
        async with desk.scheduler(engine) as scheduler:
            first = await scheduler.submit(a_submission({"a": [], "b": ["a"]}, concurrency=1))
            assert await scheduler.wait(first.id, timeout_seconds=5)
            bad["b"] = False
            other = await scheduler.submit(a_submission({"hold": []}, concurrency=1))
            await settled()
            again = await scheduler.retry(first.id)
            assert again.state == "queued"
            engine.end(next(iter(engine.alive)), DONE)
            assert await scheduler.wait(other.id, timeout_seconds=5)
            assert await scheduler.wait(again.id, timeout_seconds=5)
            assert desk.states(again.id) == {"a": "reused", "b": "completed"}

    anyio.run(main)


def test_a_run_goes_when_those_before_it_end_though_they_knew_of_no_limit(desk):
    async def main():
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine) as scheduler:
            free = await scheduler.submit(a_submission({"a": []}))
            held = await scheduler.submit(a_submission({"a": []}, concurrency=1))
            await settled()
            assert desk.run(held.id).state == "queued"
            engine.end(next(iter(engine.alive)), DONE)
            assert await scheduler.wait(free.id, timeout_seconds=5)
            await settled()
            assert desk.run(held.id).state == "running"

    anyio.run(main)


def test_an_empty_run_needs_no_room(desk):
    async def main():
        async with desk.scheduler(MemoryEngine(holds)) as scheduler:
            await scheduler.submit(a_submission({"a": []}, concurrency=1))
            empty = await scheduler.submit(a_submission({}, concurrency=1))
            assert empty.state == "completed"

    anyio.run(main)


def test_a_run_may_be_deleted_while_one_of_its_steps_would_have_waited_for_a_retry(desk):
    async def main():
        clock = SystemClock()
        execution = Execution(retries=1, backoff_seconds=0.05)
        engine = MemoryEngine(fails("a"))
        async with desk.scheduler(engine, clock=clock) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}, execution))
            while desk.states(run.id)["a"] != "waiting":
                await settled(1)
            await scheduler.abort(run.id)
            await scheduler.delete(run.id)
            await anyio.sleep(0.1)
            other = await scheduler.submit(a_submission({"b": []}))
            assert await scheduler.wait(other.id, timeout_seconds=5)

    anyio.run(main)


def test_a_disk_that_is_full_when_a_retry_is_due_delays_it_only(desk, monkeypatch):
    monkeypatch.setattr("treadle.scheduler.scheduler.FULL_DISK_PAUSE_SECONDS", 0.01)

    async def main():
        execution = Execution(retries=1, backoff_seconds=0.02)
        ends = [BOOM, DONE]
        engine = MemoryEngine(lambda o: ends.pop(0))
        write, full = desk.ledger.write, 0

        async def sometimes_full(fn):
            nonlocal full
            if "_settle" in fn.__qualname__ and full < 3 and not ends[1:]:
                full += 1
                raise StorageFull("full")
            return await write(fn)

        async with desk.scheduler(engine, clock=SystemClock()) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}, execution))
            while desk.states(run.id)["a"] != "waiting":
                await settled(1)
            monkeypatch.setattr(desk.ledger, "write", sometimes_full)
            assert await scheduler.wait(run.id, timeout_seconds=5)
            assert full == 3

    anyio.run(main)


def test_a_step_may_be_retried_thousands_of_times(desk):
    async def main():
        clock = HandClock()
        execution = Execution(retries=5000, backoff_seconds=0)
        left = 1100

        def script(order):
            nonlocal left
            left -= 1
            return BOOM if left else DONE

        async with desk.scheduler(MemoryEngine(script), clock=clock) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}, execution))
            assert await scheduler.wait(run.id, timeout_seconds=20)
            assert desk.run(run.id).state == "completed"

    anyio.run(main)


def test_a_log_that_cannot_be_written_loses_lines_but_no_work(desk, monkeypatch):
    def refuse(*_):
        raise Unavailable("too many open files")

    monkeypatch.setattr(desk.logs, "append", refuse)

    async def main():
        def prints(order):
            return [Started(order.attempt, 0), Printed(order.attempt, 0, "out", b"hello\n"),
                    Ended(order.attempt, 0, DONE)]  # fmt: skip

        async with desk.scheduler(MemoryEngine(prints)) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            assert await scheduler.wait(run.id, timeout_seconds=5)
            assert desk.run(run.id).state == "completed"

    anyio.run(main)


def test_a_step_whose_input_was_never_put_out_fails_alone(desk):
    async def main():
        nothing = Report(outcome="completed")
        engine = MemoryEngine(lambda o: nothing if o.step == "a" else DONE)
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({"a": [], "b": ["a"], "c": ["b"], "x": []}))
            assert await scheduler.wait(run.id, timeout_seconds=5)
            states = {"a": "completed", "b": "failed", "c": "skipped", "x": "completed"}
            assert desk.states(run.id) == states
            failure = desk.jobs(run.id)["b"].failure
            assert failure.type is FailureType.INTERNAL
            assert "'a' has no output" in failure.message

    anyio.run(main)


def test_a_counter_too_large_for_the_ledger_costs_no_more_than_its_metric(desk):
    async def main():
        def measures(order):
            said = [Measured(order.attempt, 0, "x", 1.0, step) for step in (1, 2**63, 2)]
            return [Started(order.attempt, 0), *said, Ended(order.attempt, 0, DONE)]

        async with desk.scheduler(MemoryEngine(measures)) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            assert await scheduler.wait(run.id, timeout_seconds=5)
            metrics = desk.ledger.read(lambda b: b.metrics_of(run.id))
            assert [m.step for m in metrics] == [1, 2]

    anyio.run(main)


@pytest.mark.parametrize("aborted", [False, True])
def test_an_engine_may_say_again_that_an_adopted_attempt_has_started(desk, aborted):
    async def main():
        engine = MemoryEngine(holds, capacity=TWO)
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            while desk.states(run.id)["a"] != "running":
                await settled(1)
        key = next(iter(engine.alive))
        survivor = MemoryEngine(holds, capacity=TWO, survivors=[key])
        if aborted:
            survivor.abort = lambda *_, **__: None
        async with survivor, desk.scheduler(survivor) as scheduler:
            if aborted:
                await scheduler.abort(run.id)
            survivor.say(replace(Started(key, 0), number=1))
            survivor.end(key, DONE)
            assert await scheduler.wait(run.id, timeout_seconds=5)
            assert desk.run(run.id).state == ("aborted" if aborted else "completed")

    anyio.run(main)


def test_what_a_caller_who_leaves_has_submitted_is_carried_out(desk):
    async def main():
        async with desk.scheduler(MemoryEngine(lambda o: DONE)) as scheduler:
            async with anyio.create_task_group() as callers:
                callers.start_soon(scheduler.submit, a_submission({"a": []}))
                await settled(1)
                callers.cancel_scope.cancel()
            (run,) = desk.ledger.read(lambda b: b.runs(RunFilter()))
            assert await scheduler.wait(run.id, timeout_seconds=5)

    anyio.run(main)


def test_a_ledger_locked_for_a_while_delays_only(desk, monkeypatch):
    monkeypatch.setattr("treadle.scheduler.scheduler.FULL_DISK_PAUSE_SECONDS", 0.01)

    async def main():
        write, locked = desk.ledger.write, 3

        async def sometimes_locked(fn):
            nonlocal locked
            if "_turn" in fn.__qualname__ and locked:
                locked -= 1
                raise Unavailable("locked")
            return await write(fn)

        monkeypatch.setattr(desk.ledger, "write", sometimes_locked)
        async with desk.scheduler(MemoryEngine(lambda o: DONE)) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            assert await scheduler.wait(run.id, timeout_seconds=5)
            assert not locked

    anyio.run(main)


def test_steps_of_a_run_that_fails_fast_may_all_have_been_lost_for_good(desk):
    async def main():
        lost = Execution(on_lost="fail")
        async with desk.scheduler(MemoryEngine(holds)) as scheduler:
            submission = a_submission({"a": [], "b": [], "c": []}, lost, fail_fast=True)
            run = await scheduler.submit(submission)
            while set(desk.states(run.id).values()) == {"queued"}:
                await anyio.lowlevel.checkpoint()
        # When the owner died, the end of the first asks for the abort of those behind it
        async with desk.scheduler() as scheduler:
            assert await scheduler.wait(run.id, timeout_seconds=5)
        assert desk.run(run.id).state == "failed"
        assert desk.states(run.id) == {"a": "failed", "b": "aborted", "c": "aborted"}

    anyio.run(main)
