"""What an order carries beside code and arguments: variables, secrets, environment, delays."""

from dataclasses import replace

import anyio
import pytest
from scripts import BOOM, DONE

from samples import a_submission
from treadle.engine.memory import MemoryEngine
from treadle.errors import InvalidParameters, NotFound
from treadle.interfaces import SystemClock
from treadle.model.orders import Delayed, Ended, Started
from treadle.model.records import Environment, Source
from treadle.model.states import JobState, RunState

ENVIRONMENT = Environment(requirements=("six",))


def surrounded(submission, **fields):
    """The submission with tools that have these fields."""
    tools = tuple(replace(tool, **fields) for tool in submission.pipeline.tools)
    return replace(submission, pipeline=replace(submission.pipeline, tools=tools))


def with_secret():
    submission = surrounded(
        a_submission({"a": []}),
        environment=ENVIRONMENT,
        variables={"MODE": "fast"},
        secrets={"API_KEY": "a/API_KEY"},
    )
    return replace(submission, secrets={"a/API_KEY": "hunter2-hunter2"}, source=Source(commit="c0"))


def test_an_order_carries_variables_environment_and_opened_secrets(desk):
    async def main():
        engine = MemoryEngine(lambda order: DONE)
        async with desk.scheduler(engine, clock=SystemClock()) as scheduler:
            run = await scheduler.submit(with_secret())
            assert await scheduler.wait(run.id, timeout_seconds=20)
        (order,) = engine.orders
        assert order.variables == {"MODE": "fast"}
        assert order.secrets == {"API_KEY": "hunter2-hunter2"}
        assert order.environment == ENVIRONMENT
        assert "hunter2" not in repr(order)
        assert desk.run(run.id).source == Source(commit="c0")

    anyio.run(main)


def test_the_ledger_never_holds_a_secret_in_clear_and_forgets_it_with_its_run(desk):
    async def main():
        async with desk.scheduler(MemoryEngine(lambda order: DONE), clock=SystemClock()) as sched:
            run = await sched.submit(with_secret())
            assert await sched.wait(run.id, timeout_seconds=20)
            dump = "\n".join(desk.ledger.write_now(lambda b: list(b._db.iterdump())))
            assert "API_KEY" in dump
            assert "hunter2" not in dump
            assert b"hunter2".hex() not in dump.lower()
            await sched.delete(run.id)
            assert desk.ledger.read(lambda b: b.secrets_of(run.id)) == {}
            with pytest.raises(NotFound):
                desk.run(run.id)

    anyio.run(main)


def test_a_retried_run_has_the_secrets_of_the_first(desk):
    async def main():
        ends = iter([BOOM, DONE])
        engine = MemoryEngine(lambda order: next(ends))
        async with desk.scheduler(engine, clock=SystemClock()) as scheduler:
            first = await scheduler.submit(with_secret())
            assert await scheduler.wait(first.id, timeout_seconds=20)
            again = await scheduler.retry(first.id)
            assert await scheduler.wait(again.id, timeout_seconds=20)
        assert desk.run(again.id).state is RunState.COMPLETED
        assert engine.orders[1].secrets == engine.orders[0].secrets
        assert desk.run(again.id).source == Source(commit="c0")

    anyio.run(main)


def test_secrets_sealed_with_a_lost_key_fail_their_step_with_the_reason(desk):
    async def main():
        engine = MemoryEngine(lambda order: BOOM)
        async with desk.scheduler(engine, clock=SystemClock()) as scheduler:
            first = await scheduler.submit(with_secret())
            assert await scheduler.wait(first.id, timeout_seconds=20)
        desk.key.unlink()
        async with desk.scheduler(engine, clock=SystemClock()) as scheduler:
            again = await scheduler.retry(first.id)
            assert await scheduler.wait(again.id, timeout_seconds=20)
        failure = desk.jobs(again.id)["a"].failure
        assert "another key" in failure.message
        assert "Put the key file back" in failure.hint

    anyio.run(main)


def test_a_submission_that_lacks_a_secret_is_refused(desk):
    async def main():
        async with desk.scheduler(clock=SystemClock()) as scheduler:
            with pytest.raises(InvalidParameters, match="The tool work takes a secret 'a/API_KEY'"):
                await scheduler.submit(replace(with_secret(), secrets={"b/API_KEY": "hunter2"}))

    anyio.run(main)


def test_a_job_says_that_it_waits_for_a_build_until_it_starts(desk):
    async def main():
        engine = MemoryEngine(lambda order: [Delayed(order.attempt, 0, "build")])
        async with desk.scheduler(engine, clock=SystemClock()) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            with scheduler.watch.subscribe(run.id) as moves:
                while desk.jobs(run.id)["a"].reason != "build":
                    await moves.changes()
                assert desk.jobs(run.id)["a"].state is JobState.PREPARING
                (key,) = engine.alive
                engine.say(Started(key, 0))
                while desk.jobs(run.id)["a"].state is not JobState.RUNNING:
                    await moves.changes()
                assert desk.jobs(run.id)["a"].reason == ""
                engine.say(Ended(key, 0, DONE))
            assert await scheduler.wait(run.id, timeout_seconds=20)
        kinds = [
            e.kind
            for e in desk.ledger.read(lambda b: b.events(stream=run.id, after=0, limit=100))
            if e.job_id
        ]
        assert kinds == ["job.leased", "job.delayed", "job.started", "job.completed"]

    anyio.run(main)
