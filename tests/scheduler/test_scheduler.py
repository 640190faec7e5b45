"""What the scheduler promises, with an engine whose every move is scripted."""

import asyncio
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from scripts import BOOM, DIAMOND, DONE, TWO, fails, holds

from samples import HandClock, a_submission, a_tool, settled
from treadle.engine.memory import MemoryEngine
from treadle.errors import Conflict, InvalidDefinition, MissingBlob, NotFound, TooLarge
from treadle.interfaces import Capacity, SystemClock
from treadle.model.bindings import Stored
from treadle.model.orders import AttemptKey, Ended, Measured, Printed, Progressed, Report, Started
from treadle.model.records import Code, Execution, Failure, FailureType
from treadle.model.states import RunState


def run_through(desk, submission, engine):
    """Submit, wait for the end, and return the run."""

    async def main():
        async with desk.scheduler(engine, clock=SystemClock()) as scheduler:
            run = await scheduler.submit(submission)
            assert await scheduler.wait(run.id, timeout_seconds=20)
            return desk.run(run.id)

    return anyio.run(main)


def test_steps_run_after_their_parents_and_get_their_results(desk):
    engine = MemoryEngine(lambda order: DONE)
    run = run_through(desk, a_submission(DIAMOND), engine)
    assert run.state is RunState.COMPLETED
    assert run.jobs_left == 0
    order = [o.step for o in engine.orders]
    assert order[0] == "a"
    assert order[-1] == "d"
    assert sorted(order) == ["a", "b", "c", "d"]
    last = engine.orders[-1]
    assert last.arguments == {f"from_{p}": Stored(DONE.outputs["result"]) for p in "bc"}


def test_no_more_attempts_fly_than_there_is_room_for(desk):
    async def main():
        engine = MemoryEngine(holds, capacity=Capacity(slots=3, cpus=3, memory_bytes=10**9))
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({str(n): [] for n in range(50)}))
            while len(engine.orders) < 50:
                await settled()
                assert len(engine.alive) == 3
                engine.end(next(iter(engine.alive)), DONE)
            for key in list(engine.alive):
                engine.end(key, DONE)
            assert await scheduler.wait(run.id, timeout_seconds=5)

    anyio.run(main)


def test_a_failed_step_fails_only_what_depends_on_it(desk):
    submission = a_submission({**DIAMOND, "x": [], "y": ["x"]})
    run = run_through(desk, submission, MemoryEngine(fails("b")))
    assert run.state is RunState.FAILED
    assert desk.states(run.id) == {
        "a": "completed",
        "b": "failed",
        "c": "completed",
        "d": "skipped",
        "x": "completed",
        "y": "completed",
    }
    assert desk.jobs(run.id)["d"].reason == "b failed"
    assert desk.jobs(run.id)["b"].failure.message == "boom"
    assert run.reason == "1 of 6 steps failed"


def test_with_fail_fast_the_first_failure_ends_all_the_rest(desk):
    engine = MemoryEngine(lambda o: BOOM if o.step == "bad" else holds(o), capacity=TWO)
    steps = {"slow": [], "bad": [], "queued": [], "after": ["slow"]}
    run = run_through(desk, a_submission(steps, fail_fast=True), engine)
    assert run.state is RunState.FAILED
    assert desk.states(run.id) == {
        "slow": "aborted",
        "bad": "failed",
        "queued": "skipped",
        "after": "skipped",
    }
    assert engine.alive == set()


def test_a_step_is_retried_until_it_succeeds_or_its_retries_are_used_up(desk):
    tries = []

    def script(order):
        tries.append(order.attempt.number)
        return DONE if len(tries) == 3 else BOOM

    quick = Execution(retries=2, backoff_seconds=0.001)
    run = run_through(desk, a_submission({"a": []}, quick), MemoryEngine(script))
    assert (run.state, tries) == (RunState.COMPLETED, [1, 2, 3])
    failing = run_through(desk, a_submission({"a": []}, quick), MemoryEngine(fails("a")))
    assert failing.state is RunState.FAILED
    assert desk.jobs(failing.id)["a"].attempt == 3
    assert desk.ends(run.id, "a") == ["failed", "failed", "completed"]


def test_failures_of_another_type_are_not_retried(desk):
    build = Report(outcome="failed", failure=Failure(type=FailureType.BUILD, message="no"))
    submission = a_submission({"a": []}, Execution(retries=5, backoff_seconds=0.001))
    run = run_through(desk, submission, MemoryEngine(fails("a", report=build)))
    assert desk.jobs(run.id)["a"].attempt == 1


def test_backoff_doubles_up_to_its_limit_and_the_job_says_why_it_waits(desk):
    asks = Execution(retries=9, backoff_seconds=10, backoff_limit_seconds=25)

    async def main():
        engine = MemoryEngine(fails("a"))
        waits = []
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}, asks))
            for _ in range(3):
                with anyio.fail_after(5):
                    while desk.states(run.id)["a"] != "waiting":
                        await anyio.lowlevel.checkpoint()
                job = desk.jobs(run.id)["a"]
                assert job.reason == "backoff"
                waits.append((job.not_before - desk.clock.now()).total_seconds())
                desk.clock.forward(30)
                await scheduler._due([job.id])
        return waits

    assert anyio.run(main) == [10, 20, 25]


def test_a_lost_attempt_is_queued_again_free_of_charge_three_times(desk):
    lost = Report(outcome="lost")
    run = run_through(desk, a_submission({"a": []}), MemoryEngine(fails("a", report=lost)))
    job = desk.jobs(run.id)["a"]
    assert (run.state, job.attempt, job.losses) == (RunState.FAILED, 4, 4)
    assert job.failure.type is FailureType.LOST
    once = run_through(
        desk,
        a_submission({"a": []}, Execution(on_lost="fail")),
        MemoryEngine(fails("a", report=lost)),
    )
    assert desk.jobs(once.id)["a"].attempt == 1


def test_an_abort_ends_what_runs_only_when_the_engine_has_proof(desk):
    class Slow(MemoryEngine):
        asked = None

        def abort(self, attempt, *, grace_seconds):
            self.asked = (attempt, grace_seconds)

    async def main():
        engine = Slow(holds)
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({"a": [], "b": ["a"]}))
            while not engine.alive:
                await anyio.lowlevel.checkpoint()
            await scheduler.abort(run.id, grace_seconds=7)
            assert desk.run(run.id).state is RunState.ABORTING
            assert desk.states(run.id) == {"a": "aborting", "b": "aborted"}
            assert engine.asked == (next(iter(engine.alive)), 7)
            # a completion that comes now is too late
            engine.end(engine.asked[0], DONE)
            assert await scheduler.wait(run.id, timeout_seconds=5)
        assert desk.run(run.id).state is RunState.ABORTED
        assert desk.states(run.id) == {"a": "aborted", "b": "aborted"}
        with pytest.raises(Conflict, match="already ended"):
            await scheduler.abort(run.id)

    anyio.run(main)


def test_notes_sent_again_or_by_a_former_attempt_change_nothing(desk):
    async def main():
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            while not engine.alive:
                await anyio.lowlevel.checkpoint()
            (key,) = engine.alive
            notes = [
                Started(key, 1),
                Printed(key, 2, "out", b"hello\n"),
                Measured(key, 3, "loss", 0.5, 1),
                Progressed(key, 4, 1, 2),
            ]
            engine.say_as_is(*notes, *notes)
            engine.say_as_is(Ended(AttemptKey(key.job_id, 99), 5, BOOM))
            engine.say_as_is(Ended(AttemptKey("job_unknown", 1), 5, BOOM))
            engine.say_as_is(Ended(key, 5, DONE), Ended(key, 5, BOOM), Ended(key, 6, BOOM))
            assert await scheduler.wait(run.id, timeout_seconds=5)
            await anyio.lowlevel.checkpoint()
        return run

    run = anyio.run(main)
    assert desk.run(run.id).state is RunState.COMPLETED
    job = desk.jobs(run.id)["a"]
    assert (job.progress_done, job.progress_total) == (1, 2)
    assert [m.value for m in desk.ledger.read(lambda b: b.metrics_of(run.id))] == [0.5]
    assert desk.logs.read(run.id, job.id, 1) == b"hello\n"
    kinds = [e.kind for e in desk.ledger.read(lambda b: b.events(stream=run.id, after=0, limit=99))]
    assert kinds == ["run.created", "job.leased", "job.started", "job.completed", "run.completed"]


def test_a_new_owner_queues_again_what_the_dead_one_held(desk):
    async def main():
        first = MemoryEngine(lambda o: DONE if o.step == "a" else holds(o))
        async with desk.scheduler(first) as scheduler:
            run = await scheduler.submit(a_submission(DIAMOND))
            while desk.states(run.id)["c"] != "running":
                await anyio.lowlevel.checkpoint()
        assert desk.states(run.id) == {
            "a": "completed",
            "b": "running",
            "c": "running",
            "d": "waiting",
        }
        second = MemoryEngine(lambda o: DONE)
        async with desk.scheduler(second) as scheduler:
            assert await scheduler.wait(run.id, timeout_seconds=5)
        return run, second

    run, second = anyio.run(main)
    assert desk.run(run.id).state is RunState.COMPLETED
    assert [o.attempt.number for o in second.orders] == [2, 2, 1]
    assert desk.ends(run.id, "b") == ["lost", "completed"]


def test_a_new_owner_follows_attempts_that_its_engine_finds_alive(desk):
    async def main():
        async with desk.scheduler(MemoryEngine(holds)) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            while desk.states(run.id)["a"] != "running":
                await anyio.lowlevel.checkpoint()
        job = desk.jobs(run.id)["a"]
        key = AttemptKey(job.id, 1)
        second = MemoryEngine(survivors=[key])
        async with desk.scheduler(second) as scheduler:
            second.end(key, DONE)
            assert await scheduler.wait(run.id, timeout_seconds=5)
        assert second.orders == []
        return run

    assert desk.run(anyio.run(main).id).state is RunState.COMPLETED


def test_an_abort_under_way_when_the_owner_dies_is_carried_through(desk):
    class Deaf(MemoryEngine):
        def abort(self, attempt, *, grace_seconds):
            pass

    async def main():
        async with desk.scheduler(Deaf(holds)) as scheduler:
            run = await scheduler.submit(a_submission({"a": [], "b": []}))
            while set(desk.states(run.id).values()) != {"running"}:
                await anyio.lowlevel.checkpoint()
            await scheduler.abort(run.id)
        async with desk.scheduler(MemoryEngine()) as scheduler:
            assert await scheduler.wait(run.id, timeout_seconds=5)
        return run

    assert desk.run(anyio.run(main).id).state is RunState.ABORTED


def test_what_is_handed_back_in_good_order_does_not_count_as_lost(desk):
    async def main():
        async with desk.scheduler(MemoryEngine(holds)) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            while desk.states(run.id)["a"] != "running":
                await anyio.lowlevel.checkpoint()
            await scheduler.hand_back()
        job = desk.jobs(run.id)["a"]
        assert (job.state.value, job.losses, job.owner) == ("queued", 0, None)

    anyio.run(main)


def test_retry_runs_again_only_what_did_not_complete(desk):
    async def main():
        engine = MemoryEngine(fails("b"))
        async with desk.scheduler(engine) as scheduler:
            old = await scheduler.submit(a_submission(DIAMOND, parameters={"p": 1}))
            assert await scheduler.wait(old.id, timeout_seconds=5)
            engine.orders.clear()
            engine._script = lambda order: DONE
            new = await scheduler.retry(old.id)
            assert await scheduler.wait(new.id, timeout_seconds=5)
            with pytest.raises(Conflict, match="nothing to retry"):
                await scheduler.retry(new.id)
        return old, new, engine

    old, new, engine = anyio.run(main)
    assert [o.step for o in engine.orders] == ["b", "d"]
    assert engine.orders[1].arguments["from_c"] == Stored(DONE.outputs["result"])
    assert desk.states(new.id) == {"a": "reused", "b": "completed", "c": "reused", "d": "completed"}
    again = desk.run(new.id)
    assert (again.retry_of, again.parameters, again.state) == (old.id, {"p": 1}, RunState.COMPLETED)


def test_calls_are_jobs_without_a_run(desk):
    async def main():
        engine = MemoryEngine(lambda order: DONE)
        async with desk.scheduler(engine) as scheduler:
            job = await scheduler.call(a_tool(), {})
            assert await scheduler.wait(job.id, timeout_seconds=5)
            engine._script = holds
            held = await scheduler.call(a_tool(), {})
            while not engine.alive:
                await anyio.lowlevel.checkpoint()
            await scheduler.abort(held.id)
            assert await scheduler.wait(held.id, timeout_seconds=5)
        return job, held

    job, held = anyio.run(main)
    assert desk.ledger.read(lambda b: b.job(job.id)).state.value == "completed"
    assert desk.ledger.read(lambda b: b.outputs_of(job.id)) == DONE.outputs
    assert desk.ledger.read(lambda b: b.job(held.id)).state.value == "aborted"


def test_what_can_never_run_is_refused_before_anything_is_written(desk):
    missing = a_tool(code=Code(kind="value", digest="0" * 64, entry="f"))
    absent = a_submission({"a": []})
    absent = replace(
        absent, pipeline=replace(absent.pipeline, tools=(replace(missing, id="tool-work"),))
    )
    refused = [
        (
            a_submission({"a": []}, Execution(cpus=64)),
            TooLarge,
            "asks for 64 CPUs; this machine has 2",
        ),
        (
            a_submission({"a": []}, Execution(memory_bytes=2**50)),
            TooLarge,
            "1.13e.06 GB of memory; .* has 1.07",
        ),
        (
            a_submission({"a": [], "b": ["c"]}),
            InvalidDefinition,
            "'c', which is not in the pipeline",
        ),
        (a_submission({"a": ["b"], "b": ["a"]}), InvalidDefinition, "circle: a -> b -> a"),
        (absent, MissingBlob, "not stored"),
    ]

    async def main():
        async with desk.scheduler(MemoryEngine(capacity=TWO)) as scheduler:
            for submission, error, text in refused:
                with pytest.raises(error, match=text):
                    await scheduler.submit(submission)
            for verb in (scheduler.abort, scheduler.retry, scheduler.delete):
                with pytest.raises(NotFound):
                    await verb("run_nothing")

    anyio.run(main)
    assert desk.ledger.read(lambda b: b.latest_run()) is None


def test_an_empty_pipeline_completes_at_once(desk):
    assert run_through(desk, a_submission({}), MemoryEngine()).state is RunState.COMPLETED


def test_a_deleted_run_is_gone_with_its_log(desk):
    async def main():
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            while not engine.alive:
                await anyio.lowlevel.checkpoint()
            with pytest.raises(Conflict, match="Abort it first"):
                await scheduler.delete(run.id)
            (key,) = engine.alive
            engine.say(Printed(key, 2, "out", b"x"))
            engine.end(key, DONE)
            assert await scheduler.wait(run.id, timeout_seconds=5)
            await scheduler.delete(run.id)
            with pytest.raises(NotFound):
                desk.run(run.id)
            assert desk.logs.read(run.id, key.job_id, 1) == b""

    anyio.run(main)


def test_a_clock_set_back_does_not_delay_a_retry(desk):
    class Backwards(HandClock):
        def monotonic(self):
            return SystemClock().monotonic()

    clock = Backwards()

    async def main():
        engine = MemoryEngine(lambda o: BOOM if o.attempt.number == 1 else DONE)
        asks = Execution(retries=1, backoff_seconds=0.05)
        async with desk.scheduler(engine, clock=clock) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}, asks))
            while desk.states(run.id)["a"] != "waiting":
                await anyio.lowlevel.checkpoint()
            clock.forward(-3600)
            assert await scheduler.wait(run.id, timeout_seconds=10)

    anyio.run(main)


def test_followers_are_told_of_each_kind_of_change_once_until_they_look(desk):
    async def main():
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({"a": []}))
            while not engine.alive:
                await anyio.lowlevel.checkpoint()
            (key,) = engine.alive
            with scheduler.watch.subscribe(run.id) as mine, scheduler.watch.subscribe(None) as all_:
                for number in range(2, 500):
                    engine.say(Measured(key, number, "loss", 1.0, number))
                engine.end(key, DONE)
                await scheduler.wait(run.id, timeout_seconds=5)
                for follower in (mine, all_):
                    found = await follower.changes()
                    assert {c.kind for c in found} == {"event", "metrics"}
                    assert len(found) == len(set(found)) <= 4
            assert scheduler.watch._by_stream == {}

    anyio.run(main)


def test_a_scratch_directory_survives_retries_and_goes_with_the_job(desk):
    seen = []

    def script(order):
        folder = Path(order.scratch_dir)
        seen.append((order.step, folder.exists()))
        (folder / "sub").mkdir(parents=True, exist_ok=True)
        return BOOM if order.step == "bad" or len(seen) < 3 else DONE

    async def main():
        execution = Execution(retries=2, backoff_seconds=0)
        engine = MemoryEngine(script, capacity=Capacity(slots=1, cpus=1, memory_bytes=10**9))
        async with desk.scheduler(engine) as scheduler:
            run = await scheduler.submit(a_submission({"a": [], "bad": ["a"]}, execution))
            assert await scheduler.wait(run.id, timeout_seconds=5)
        await asyncio.get_running_loop().shutdown_default_executor()

    anyio.run(main)
    assert seen[:3] == [("a", False), ("a", True), ("a", True)]
    assert list(desk.scratch.iterdir()) == []
