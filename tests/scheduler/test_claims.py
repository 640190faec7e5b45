"""A request that is sent again, with its idempotency key, makes nothing new."""

import anyio
import pytest
from scripts import DONE, holds

from samples import a_submission, a_tool, settled
from treadle.engine.memory import MemoryEngine
from treadle.errors import Conflict, KeyReused
from treadle.interfaces import RunFilter
from treadle.model.access import Requester
from treadle.model.states import RunState

BY = Requester(user="analyst", key="k-1", fingerprint="f-1")
OTHER_BODY = Requester(user="analyst", key="k-1", fingerprint="f-2")
OTHER_USER = Requester(user="trainer", key="k-1", fingerprint="f-2")
DAY_SECONDS = 24 * 3600


def number_of_runs(desk):
    return len(desk.ledger.read(lambda b: b.runs(RunFilter(limit=1000))))


def test_a_replay_gets_the_run_as_it_is_now(desk):
    async def main():
        async with desk.scheduler() as scheduler:
            first = await scheduler.submit(a_submission({"a": []}), by=BY)
            await scheduler.wait(first.id, timeout_seconds=5)
            again = await scheduler.submit(a_submission({"a": []}), by=BY)
            assert again.id == first.id
            assert again.state is RunState.COMPLETED
        assert number_of_runs(desk) == 1

    anyio.run(main)


def test_a_key_of_another_request_is_refused_and_of_another_user_another_key(desk):
    async def main():
        async with desk.scheduler() as scheduler:
            first = await scheduler.submit(a_submission({"a": []}), by=BY)
            with pytest.raises(KeyReused, match="k-1"):
                await scheduler.submit(a_submission({"b": []}), by=OTHER_BODY)
            other = await scheduler.submit(a_submission({"b": []}), by=OTHER_USER)
            assert other.id != first.id
            assert (first.user, other.user) == ("analyst", "trainer")

    anyio.run(main)


def test_the_same_request_many_times_at_once_makes_one_run(desk):
    async def main():
        found = []
        async with desk.scheduler() as scheduler:

            async def submit():
                found.append((await scheduler.submit(a_submission({"a": []}), by=BY)).id)

            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(submit)
            assert scheduler.unended_jobs <= 1
        assert len(found) == 20
        assert len(set(found)) == 1
        assert number_of_runs(desk) == 1

    anyio.run(main)


def test_a_replayed_call_is_one_job_and_a_replayed_retry_one_run(desk):
    async def main():
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine) as scheduler:
            call = await scheduler.call(a_tool(), {}, by=BY)
            assert (await scheduler.call(a_tool(), {}, by=BY)).id == call.id
            with pytest.raises(KeyReused):
                await scheduler.call(a_tool(), {}, by=OTHER_BODY)
            run = await scheduler.submit(a_submission({"a": []}))
            await settled()
            await scheduler.abort(run.id)
            await scheduler.wait(run.id, timeout_seconds=5)
            key = Requester(key="retry", fingerprint="f")
            retried = await scheduler.retry(run.id, by=key)
            assert (await scheduler.retry(run.id, by=key)).id == retried.id
            assert retried.retry_of == run.id
        assert number_of_runs(desk) == 2

    anyio.run(main)


def test_what_was_made_and_deleted_is_not_made_again(desk):
    async def main():
        async with desk.scheduler() as scheduler:
            run = await scheduler.submit(a_submission({"a": []}), by=BY)
            await scheduler.wait(run.id, timeout_seconds=5)
            await scheduler.delete(run.id)
            with pytest.raises(Conflict, match="deleted by now"):
                await scheduler.submit(a_submission({"a": []}), by=BY)
        assert number_of_runs(desk) == 0

    anyio.run(main)


def test_a_refused_request_leaves_its_key_free(desk):
    async def main():
        async with desk.scheduler(queue_limit=1) as scheduler:
            with pytest.raises(Exception, match="2 jobs"):
                await scheduler.submit(a_submission({"a": [], "b": []}), by=BY)
            assert (await scheduler.submit(a_submission({"a": []}), by=OTHER_BODY)).id

    anyio.run(main)


def test_a_replay_after_a_death_finds_what_was_made_before(desk):
    async def main():
        async with desk.scheduler(MemoryEngine(holds)) as scheduler:
            first = await scheduler.submit(a_submission({"a": []}), by=BY)
        async with desk.scheduler() as scheduler:
            assert (await scheduler.submit(a_submission({"a": []}), by=BY)).id == first.id
            assert await scheduler.wait(first.id, timeout_seconds=5)
        assert number_of_runs(desk) == 1

    anyio.run(main)


@pytest.mark.parametrize(
    ("passed_seconds", "runs"),
    [(DAY_SECONDS - 60, 1), (DAY_SECONDS + 60, 2), (-3600, 1)],
    ids=["less than a day", "more than a day", "the clock was set back"],
)
def test_keys_are_kept_for_a_day(desk, passed_seconds, runs):
    async def main():
        async with desk.scheduler() as scheduler:
            run = await scheduler.submit(a_submission({"a": []}), by=BY)
            await scheduler.wait(run.id, timeout_seconds=5)
        desk.clock.forward(passed_seconds)
        async with desk.scheduler() as scheduler:  # which begins with its upkeep
            await settled()
            await scheduler.submit(a_submission({"a": []}), by=BY)
        assert number_of_runs(desk) == runs

    anyio.run(main)


def test_runs_begun_after_the_clock_was_set_back_are_listed_after_those_before(desk):
    async def main():
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine) as scheduler:
            first = await scheduler.submit(a_submission({"a": []}))
            desk.clock.forward(-7200)
            second = await scheduler.submit(a_submission({"a": []}))
            await settled()
            for attempt in list(engine.alive):
                engine.end(attempt, DONE)
            for run in (first, second):
                assert await scheduler.wait(run.id, timeout_seconds=5)
        return [first.id, second.id]

    ids = anyio.run(main)
    listed = desk.ledger.read(lambda b: b.runs(RunFilter()))
    assert [run.id for run in listed] == ids[::-1]
