"""Users take turns, whatever the length of what each of them has queued."""

from collections import Counter
from dataclasses import replace

import anyio
from hypothesis import given
from hypothesis import strategies as st
from scripts import DONE, holds

from samples import NOW, a_job, a_run, a_submission, a_tool, settled
from treadle.engine.memory import MemoryEngine
from treadle.interfaces import Capacity
from treadle.model.access import Requester
from treadle.model.records import Execution, Pipeline
from treadle.model.states import JobEvent
from treadle.scheduler.dispatch import take
from treadle.scheduler.fairness import PATIENCE_SECONDS, Lines, Memory
from treadle.storage.ledger.sqlite import SqliteLedger

ANN, BOB = Requester(user="analyst"), Requester(user="trainer")


class Floor:
    """Slots, a queue in a real ledger, and what was leased in which order."""

    def __init__(self, slots, cpus=1000.0):
        self.capacity = Capacity(slots=slots, cpus=cpus, memory_bytes=2**40)
        self.ledger, self.memory = SqliteLedger(":memory:"), Memory()
        self.running, self.leased, self.time = [], [], 0.0
        self.ledger.write_now(self._begin)

    def _begin(self, books):
        run = a_run()
        self.run_id, self.count = run.id, 0
        books.add_tools([a_tool()], NOW)
        books.add_pipeline(Pipeline(name="sample", version="1", tools=(), steps=()), NOW)
        books.add_run(run)
        books.add_owner("own", 1, NOW)

    def queue(self, user, count=1, *, cpus=1.0, priority=0):
        jobs = []
        for _ in range(count):
            self.count += 1
            asks = Execution(cpus=cpus)
            job = a_job(self.run_id, f"s{self.count}", user=user, priority=priority, execution=asks)
            jobs.append((replace(job, position=self.count), {}))
        self.ledger.write_now(lambda books: books.add_jobs(jobs, []))
        return [job.id for job, _ in jobs]

    def room(self):
        room = self.capacity
        for job in self.running:
            room = take(room, job)
        return room

    def turn(self):
        """Lease all that can be leased now; the users and ids, in order."""
        self.ledger.write_now(self._turn)

    def _turn(self, books):
        room, users = self.room(), [job.user for job in self.running]
        lines = Lines(books, self.capacity, self.memory, users, self.time)
        while room.slots > 0 and (job := lines.take(room)) is not None:
            taken = books.move_job(
                job, JobEvent.LEASED, NOW, owner="own", attempt=1, reason="", started_at=None
            )
            room = take(room, job)
            self.running.append(taken)
            self.leased.append(taken)

    def end(self, number):
        job = self.running.pop(number % len(self.running))
        self.ledger.write_now(lambda books: books.move_job(job, JobEvent.LOST, NOW, owner=None))
        gone = self.ledger.read(lambda books: books.job(job.id))
        self.ledger.write_now(lambda books: books.move_job(gone, JobEvent.ABORT_REQUESTED, NOW))

    def in_use(self):
        return Counter(job.user for job in self.running)


ENDS = st.lists(st.integers(0, 7), max_size=30)


@given(users=st.integers(1, 5), slots=st.integers(1, 8), ends=ENDS)
def test_users_with_plenty_of_equal_jobs_have_equally_many_slots(users, slots, ends):
    # Given users who each have more jobs than can be run
    floor = Floor(slots)
    names = [f"user-{number}" for number in range(users)]
    for name in names:
        floor.queue(name, slots + len(ends))
    floor.turn()
    for number in ends:
        # When jobs end, whosever they are
        floor.end(number)
        floor.turn()
        # Then each has as many slots as any other, give or take one
        in_use = [floor.in_use()[name] for name in names]
        assert sum(in_use) == slots
        assert max(in_use) - min(in_use) <= 1


@given(users=st.integers(1, 5), slots=st.integers(1, 4), ends=ENDS)
def test_who_has_no_slot_gets_one_before_others_were_served_twice(users, slots, ends):
    floor = Floor(slots)
    names = [f"user-{number}" for number in range(users)]
    waited = Counter()
    floor.queue(names[0], 100)  # the first is there before all others, with the most jobs
    floor.turn()
    for name in names[1:]:
        floor.queue(name, slots + len(ends))
    for number in ends:
        floor.end(number)
        before = len(floor.leased)
        floor.turn()
        for job in floor.leased[before:]:
            waited.update(name for name in names if name != job.user)
            waited[job.user] = 0
        for name in names:
            assert waited[name] < users or floor.in_use()[name] > 0


@given(priorities=st.lists(st.integers(-2, 2), max_size=20), slots=st.integers(1, 4))
def test_jobs_of_one_user_go_by_priority_and_then_by_age(priorities, slots):
    floor = Floor(slots)
    ids = [floor.queue("analyst", priority=priority)[0] for priority in priorities]
    floor.turn()
    while floor.running:
        floor.end(0)
        floor.turn()
    by_rule = sorted(zip(priorities, ids, strict=True), key=lambda each: (-each[0], each[1]))
    assert [job.id for job in floor.leased] == [job_id for _, job_id in by_rule]


@given(
    queued=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=20),
    slots=st.integers(1, 4),
)
def test_higher_priority_goes_before_whoever_has_fewer_slots(queued, slots):
    floor = Floor(slots)
    for user, priority in queued:
        floor.queue(user, priority=priority)
    floor.turn()
    while floor.running:
        floor.end(0)
        floor.turn()
    served = [job.priority for job in floor.leased]
    assert served == sorted((priority for _, priority in queued), reverse=True)


def test_a_large_job_is_passed_by_for_only_so_long_whoever_has_fewer_slots():
    # Given one who holds a slot for long and wants two more, and one with many short jobs
    floor = Floor(3, cpus=3)
    floor.queue("analyst")
    floor.turn()
    (large,) = floor.queue("analyst", cpus=2)
    floor.queue("trainer", 20)
    floor.turn()
    assert floor.in_use() == {"analyst": 1, "trainer": 2}
    # When the patience of the large one is over
    floor.time = PATIENCE_SECONDS + 1
    floor.end(1)
    floor.turn()
    floor.end(1)
    floor.turn()
    # Then what became free was kept for it
    assert [job.id for job in floor.running[1:]] == [large]


def test_what_is_passed_by_lets_its_owners_smaller_jobs_go_first():
    floor = Floor(4, cpus=4)
    floor.queue("analyst", 1)
    floor.queue("analyst", 1, cpus=4)
    small = floor.queue("analyst", 2)
    floor.turn()
    assert [job.id for job in floor.running[1:]] == small


def test_higher_priority_goes_before_the_impatient():
    floor = Floor(2, cpus=2)
    floor.queue("analyst")
    floor.queue("analyst", cpus=2)
    floor.turn()
    floor.time = PATIENCE_SECONDS + 1
    (urgent,) = floor.queue("trainer", priority=1)
    floor.queue("trainer")
    floor.turn()
    assert [job.id for job in floor.running[1:]] == [urgent]


def test_a_job_larger_than_the_machine_holds_up_nobody():
    floor = Floor(1, cpus=1)
    floor.queue("analyst", cpus=2, priority=9)
    (fits,) = floor.queue("analyst")
    floor.turn()
    assert [job.id for job in floor.running] == [fits]


def test_a_long_run_of_one_user_holds_up_a_short_run_of_another_for_one_job(desk):
    async def main():
        engine = MemoryEngine(holds, capacity=Capacity(slots=1, cpus=1, memory_bytes=1))
        async with desk.scheduler(engine) as scheduler:
            # Given a run of many steps, the first of which is under way
            long = a_submission({f"long-{number}": [] for number in range(2000)})
            await scheduler.submit(long, by=ANN)
            await settled()
            # When somebody else begins a run of one step
            short = await scheduler.submit(a_submission({"short": []}), by=BOB)
            # Then it is next
            await next_one(engine)
            await next_one(engine)
            assert await scheduler.wait(short.id, timeout_seconds=5)
            # And again, though he was served last
            again = await scheduler.submit(a_submission({"again": []}), by=BOB)
            await next_one(engine)
            await next_one(engine)
            assert await scheduler.wait(again.id, timeout_seconds=5)
        return [order.step for order in engine.orders]

    assert anyio.run(main) == ["long-0", "short", "long-1", "again", "long-2"]


async def next_one(engine):
    """End the job under way; return when the next has begun."""
    before = len(engine.orders)
    engine.end(next(iter(engine.alive)), DONE)
    while len(engine.orders) == before:
        await anyio.lowlevel.checkpoint()


def test_users_who_have_nothing_queued_are_forgotten(monkeypatch):
    monkeypatch.setattr("treadle.scheduler.fairness.MOST_REMEMBERED", 3)
    floor = Floor(1)
    for number in range(10):
        floor.queue(f"user-{number}")
        floor.turn()
        floor.end(0)
    assert len(floor.memory.remembered()) <= 4
