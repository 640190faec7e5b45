"""What is too much is refused, and what is there is counted right without counting."""

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts import BOOM, DIAMOND, DONE, TWO, holds

from samples import HandClock, a_submission, a_tool, settled
from treadle.engine.memory import MemoryEngine
from treadle.errors import Busy, Conflict, TooLarge
from treadle.model.access import Requester
from treadle.model.orders import Report
from treadle.model.records import Execution

LOST = Report(outcome="lost")


def counted(desk):
    return desk.ledger.read(lambda books: books.count_unended_jobs())


def test_what_would_bring_the_queue_over_its_limit_is_told_to_come_back(desk):
    async def main():
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine, queue_limit=5) as scheduler:
            # Given a queue with little room
            run = await scheduler.submit(a_submission(DIAMOND))
            # When more is submitted than there is room for
            with pytest.raises(Busy, match="4 jobs have not ended") as refused:
                await scheduler.submit(a_submission({"a": [], "b": []}))
            assert refused.value.details["retry_after_seconds"] > 0
            await scheduler.call(a_tool(), {})
            with pytest.raises(Busy):
                await scheduler.call(a_tool(), {})
            # Then nothing of it is there
            assert scheduler.unended_jobs == counted(desk) == 5
            # And when something has ended there is room again
            await scheduler.abort(run.id)
            await scheduler.wait(run.id, timeout_seconds=5)
            with pytest.raises(Busy):
                await scheduler.submit(a_submission({f"s{n}": [] for n in range(5)}))
            retried = await scheduler.retry(run.id)
            with pytest.raises(Busy):
                await scheduler.call(a_tool(), {})
            await scheduler.abort(retried.id)
            await scheduler.wait(retried.id, timeout_seconds=5)
        assert counted(desk) == 1

    anyio.run(main)


def test_what_no_queue_could_hold_is_too_large(desk):
    async def main():
        async with desk.scheduler(queue_limit=2) as scheduler:
            with pytest.raises(TooLarge, match="3 jobs"):
                await scheduler.submit(a_submission({"a": [], "b": [], "c": []}))

    anyio.run(main)


def test_many_at_once_share_the_room_there_is(desk):
    async def main():
        refused = []
        engine = MemoryEngine(holds)
        async with desk.scheduler(engine, queue_limit=7) as scheduler:

            async def submit():
                try:
                    await scheduler.submit(a_submission({"a": [], "b": []}))
                except Busy as error:
                    refused.append(error)

            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(submit)
            assert len(refused) == 7
            assert scheduler.unended_jobs == counted(desk) == 6

    anyio.run(main)


def test_a_replay_is_answered_while_the_queue_is_full(desk):
    async def main():
        by = Requester(key="k", fingerprint="f")
        async with desk.scheduler(MemoryEngine(holds), queue_limit=1) as scheduler:
            first = await scheduler.submit(a_submission({"a": []}), by=by)
            assert (await scheduler.submit(a_submission({"a": []}), by=by)).id == first.id

    anyio.run(main)


OFTEN = ("submit", "end", "boom")
SELDOM = ("fail fast", "limited", "call", "lose", "abort", "retry", "later", "die", "delete")
DEEDS = st.lists(st.sampled_from((*OFTEN, *OFTEN, *SELDOM)), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=DEEDS)
def test_the_count_is_that_of_the_ledger_whatever_happens(desk, deeds):
    desk.clock = HandClock()

    async def main():
        history = History(desk)
        left = deeds
        while left:
            async with desk.scheduler(history.engine()) as scheduler:
                assert scheduler.unended_jobs == counted(desk)
                left = await history.go(scheduler, left)
                assert scheduler.unended_jobs == counted(desk)

    anyio.run(main)


class History:
    """Deeds done to schedulers on one desk, one after the other."""

    def __init__(self, desk):
        self.desk, self.runs = desk, []

    def engine(self):
        self.memory = MemoryEngine(holds, capacity=TWO)
        return self.memory

    async def go(self, scheduler, deeds):
        """Until a death; the deeds that are left."""
        for number, deed in enumerate(deeds):
            if deed == "die":
                return deeds[number + 1 :]
            try:
                await self.do(scheduler, deed)
            except Conflict:
                pass
            await settled(20)
            assert scheduler.unended_jobs == counted(self.desk)
        return []

    async def do(self, scheduler, deed):
        again = Execution(retries=1, backoff_seconds=5)
        if deed in ("submit", "fail fast", "limited"):
            options = {"concurrency": 1} if deed == "limited" else {}
            submission = a_submission(DIAMOND, again, fail_fast=deed == "fail fast", **options)
            self.runs.append((await scheduler.submit(submission)).id)
        elif deed == "call":
            await scheduler.call(a_tool(), {})
        elif deed == "later":
            self.desk.clock.forward(10)
        elif deed in ("end", "boom", "lose"):
            report = {"end": DONE, "boom": BOOM, "lose": LOST}[deed]
            for attempt in list(self.memory.alive)[:1]:
                self.memory.end(attempt, report)
        elif self.runs:
            made = await getattr(scheduler, deed)(self.runs[0 if deed == "delete" else -1])
            self.runs += [made.id] if made else []
            if deed == "delete":
                self.runs.pop(0)


def test_what_ends_without_a_start_is_counted_with_what_ended(desk):
    async def main():
        async with desk.scheduler(MemoryEngine(holds, capacity=TWO)) as scheduler:
            run = await scheduler.submit(a_submission({f"s{n}": [] for n in range(10)}))
            await settled()
            await scheduler.abort(run.id)
            await scheduler.wait(run.id, timeout_seconds=5)
            assert sum(scheduler.tally.jobs_ended.values()) == 10
            assert scheduler.unended_jobs == 0

    anyio.run(main)
