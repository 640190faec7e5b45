"""What every ledger must do, whatever keeps it."""

import itertools
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from samples import NOW, a_job, a_run, a_submission, a_tool
from treadle.errors import NotFound, StaleMove, UnlawfulMove
from treadle.interfaces import Capacity, Ledger, RunFilter
from treadle.model.bindings import Stored, Value
from treadle.model.orders import Report
from treadle.model.records import OWNER, Execution, Failure, FailureType, Metric
from treadle.model.refs import Ref
from treadle.model.states import JOB_MOVES, JobEvent, JobState, RunEvent, RunState
from treadle.storage.ledger.sqlite import SqliteLedger

ROOM = Capacity(slots=8, cpus=8, memory_bytes=10**9)


@pytest.fixture(params=["file", "file, power", "memory"])
def ledger(request, tmp_path):
    where = ":memory:" if request.param == "memory" else tmp_path / "ledger.db"
    ledger = SqliteLedger(where, durability="power" if "power" in request.param else "process")
    ledger.write_now(lambda books: books.add_owner("own_1", 1, NOW))
    ledger.write_now(lambda books: books.add_tools([a_tool()], NOW))
    ledger.write_now(lambda books: books.add_pipeline(a_submission({}).pipeline, NOW))
    yield ledger
    ledger.close()


def with_run(ledger: Ledger, *jobs, edges=(), **fields):
    run = a_run(jobs_total=len(jobs), jobs_left=len(jobs), **fields)
    jobs = [replace(job, run_id=run.id, position=i) for i, job in enumerate(jobs)]

    def add(books):
        books.add_run(run)
        books.add_jobs([(job, {"x": Value(1)}) for job in jobs], edges)

    ledger.write_now(add)
    return run, jobs


def lease(ledger, job, owner="own_1"):
    return ledger.write_now(
        lambda books: books.move_job(
            job, JobEvent.LEASED, NOW, owner=owner, attempt=job.attempt + 1
        )
    )


def test_what_was_added_is_read_back_as_it_was(ledger):
    job = a_job("x", execution=Execution(cpus=2, retries=3, timeout_seconds=9))
    run, (job,) = with_run(
        ledger, job, parameters={"a": [1, None]}, labels={"who": "me"}, priority=3
    )
    assert ledger.read(lambda books: books.run(run.id)) == run
    assert ledger.read(lambda books: books.job(job.id)) == job
    assert ledger.read(lambda books: books.jobs_of(run.id)) == [job]
    assert ledger.read(lambda books: books.arguments_of(job.id)) == {"x": Value(1)}
    assert ledger.read(lambda books: books.arguments_in_run(run.id)) == {job.id: {"x": Value(1)}}
    assert ledger.read(lambda books: books.tool("tool-work")) == a_tool()


def test_what_is_not_there_is_said_so(ledger):
    for look in ("run", "job", "tool"):
        with pytest.raises(NotFound, match="nothing"):
            ledger.read(lambda books, look=look: getattr(books, look)("nothing"))


def test_a_tool_is_found_by_its_name_the_newest_first(ledger):
    old, new = a_tool("hammer", id="t1"), a_tool("hammer", id="t2", version="2")
    ledger.write_now(lambda books: books.add_tools([old], NOW))
    ledger.write_now(lambda books: books.add_tools([new], NOW + timedelta(seconds=1)))
    ledger.write_now(lambda books: books.add_tools([old], NOW + timedelta(seconds=2)))

    assert ledger.read(lambda books: books.tool_named("hammer")) == new
    assert ledger.read(lambda books: books.tool_named("hammer", "1")) == old
    for name, version in (("nail", None), ("hammer", "3")):
        with pytest.raises(NotFound, match=name):
            ledger.read(lambda books, n=name, v=version: books.tool_named(n, v))


def test_a_move_is_told_to_the_diary_once_and_in_order(ledger):
    run, (job,) = with_run(ledger, a_job("x"))
    running = ledger.write_now(
        lambda books: books.move_job(
            books.move_job(job, JobEvent.LEASED, NOW, owner="own_1", attempt=1),
            JobEvent.STARTED,
            NOW,
            started_at=NOW,
        )
    )
    events = ledger.read(lambda books: books.events(stream=run.id, after=0, limit=10))
    assert [e.kind for e in events] == ["run.created", "job.leased", "job.started"]
    assert [e.number for e in events] == [1, 2, 3]
    assert ledger.read(lambda books: books.job(job.id)) == running
    later = ledger.read(lambda books: books.events(stream=run.id, after=2, limit=10))
    assert later == events[2:]


def test_only_the_holder_of_state_attempt_and_owner_moves_a_job(ledger):
    # Given a job whose first lease was lost and which was leased again
    _, (job,) = with_run(ledger, a_job("x"))
    first = lease(ledger, job)
    queued = ledger.write_now(lambda b: b.move_job(first, JobEvent.LOST, NOW, owner=None))
    ledger.write_now(lambda b: b.close_attempt(first, "lost", NOW))
    second = lease(ledger, queued)
    # When the first holder, or another owner, reports
    for stale in (first, replace(second, owner="own_2"), job):
        event = JobEvent.LEASED if stale is job else JobEvent.STARTED
        # Then it is turned away, and the diary hears nothing of it
        before = ledger.read(lambda b: b.events(stream=job.run_id, after=0, limit=99))
        with pytest.raises(StaleMove):
            ledger.write_now(lambda b, s=stale, e=event: b.move_job(s, e, NOW))
        assert ledger.read(lambda b: b.events(stream=job.run_id, after=0, limit=99)) == before
    assert ledger.read(lambda b: b.job(job.id)) == second


def test_no_move_outside_the_table_is_written(ledger):
    _, (job,) = with_run(ledger, a_job("x"))
    for state, event in itertools.product(JobState, JobEvent):
        if (state, event) not in JOB_MOVES:
            with pytest.raises(UnlawfulMove):
                ledger.write_now(
                    lambda b, s=state, e=event: b.move_job(replace(job, state=s), e, NOW)
                )


def test_an_attempt_ends_once(ledger):
    _, (job,) = with_run(ledger, a_job("x"))
    first = lease(ledger, job)
    queued = ledger.write_now(lambda b: b.move_job(first, JobEvent.LOST, NOW, owner=None))
    ledger.write_now(lambda b: b.close_attempt(first, "lost", NOW))
    with pytest.raises(Exception, match="UNIQUE"):
        ledger.write_now(lambda b: b.close_attempt(first, "completed", NOW))
    lease(ledger, queued)
    attempts = ledger.read(lambda b: b.attempts_of(job.id))
    assert [(a.number, a.end) for a in attempts] == [(1, "lost"), (2, None)]
    assert attempts[0].leased_at == attempts[1].leased_at == NOW


def test_the_queue_is_by_priority_then_age_and_leaves_out_what_does_not_fit(ledger):
    _, jobs = with_run(
        ledger,
        a_job("x", "old"),
        a_job("x", "young"),
        a_job("x", "urgent", priority=5),
        a_job("x", "large", priority=9, execution=Execution(cpus=16)),
        a_job("x", "later", state=JobState.WAITING, parents_left=1),
    )
    queued = ledger.read(lambda b: b.queued_jobs(OWNER, ROOM, 10))
    assert [job.step for job in queued] == ["urgent", "old", "young"]
    assert len(ledger.read(lambda b: b.queued_jobs(OWNER, ROOM, 2))) == 2
    ledger.write_now(lambda b: b.explain_too_large(ROOM, "too large"))
    assert [job.reason for job in ledger.read(lambda b: b.jobs_of(jobs[0].run_id))] == [
        "",
        "",
        "",
        "too large",
        "",
    ]


def test_a_parent_that_is_done_frees_children_that_wait_for_no_other(ledger):
    a, b = a_job("x", "a"), a_job("x", "b")
    one = a_job("x", "one", state=JobState.WAITING, parents_left=1)
    both = a_job("x", "both", state=JobState.WAITING, parents_left=2)
    edges = [(a.id, one.id), (a.id, both.id), (b.id, both.id)]
    with_run(ledger, a, b, one, both, edges=edges)
    (ready,) = ledger.write_now(lambda k: k.promote_children(a, "slot", NOW))
    assert (ready.step, ready.state, ready.reason) == ("one", JobState.QUEUED, "slot")
    assert ledger.read(lambda k: k.job(one.id)) == ready
    assert ledger.read(lambda k: k.job(both.id)).parents_left == 1
    assert [j.step for j in ledger.write_now(lambda k: k.promote_children(b, "", NOW))] == ["both"]
    events = ledger.read(lambda k: k.events(stream=ready.run_id, after=1, limit=9))
    assert [(e.kind, e.job_id) for e in events] == [("job.ready", one.id), ("job.ready", both.id)]
    assert set(ledger.read(lambda k: k.edges_of(k.job(a.id).run_id))) == set(edges)


def test_outputs_reach_the_children_by_step_and_name(ledger):
    a = a_job("x", "a")
    child = a_job("x", "child", state=JobState.WAITING, parents_left=1)
    with_run(ledger, a, child, edges=[(a.id, child.id)])
    small = Ref(digest="d1", size_bytes=1, media_type="application/json", codec="json", inline=b"1")
    large = Ref(digest="d2", size_bytes=10**6, media_type="x/y", codec="npy")
    ledger.write_now(lambda b: b.add_outputs(a, {"small": small, "large": large}))
    assert ledger.read(lambda b: b.outputs_of(a.id)) == {"small": small, "large": large}
    assert ledger.read(lambda b: b.inputs_of(child.id)) == {
        ("a", "small"): small,
        ("a", "large"): large,
    }
    assert "d2" in ledger.read(lambda b: b.referenced_digests())
    assert "d1" not in ledger.read(lambda b: b.referenced_digests())


def test_failures_and_metrics_are_kept_with_their_attempt(ledger):
    run, (job,) = with_run(ledger, a_job("x"))
    leased = lease(ledger, job)
    failure = Failure(type=FailureType.USER, message="boom", traceback="...")
    report = Report(outcome="failed", failure=failure, peak_memory_bytes=7, cpu_seconds=0.5)
    metrics = [
        Metric(job_id=job.id, attempt=1, name="loss", value=0.5, step=s, at=NOW) for s in (1, None)
    ]

    def settle(books):
        books.add_metrics(metrics)
        books.move_job(leased, JobEvent.FAILED, NOW, failure=failure)
        books.close_attempt(leased, "failed", NOW, report)
        return books.count_down(leased, failed=True)

    assert ledger.write_now(settle) == 0
    assert ledger.read(lambda b: b.job(job.id)).failure == failure
    (attempt,) = ledger.read(lambda b: b.attempts_of(job.id))
    assert (attempt.end, attempt.failure, attempt.peak_memory_bytes) == ("failed", failure, 7)
    kept = ledger.read(lambda b: b.metrics_of(run.id))
    assert [replace(m, id=0) for m in kept] == metrics
    assert ledger.read(lambda b: b.metrics_of(job.id, after=kept[0].id)) == kept[1:]
    assert ledger.read(lambda b: b.run(run.id)).jobs_failed == 1


def test_the_list_of_runs_is_newest_first_in_pages_and_by_filter(ledger):
    runs = [with_run(ledger, labels={"n": str(i % 2)})[0] for i in range(6)]
    ended = ledger.write_now(lambda b: b.move_run(runs[3], RunEvent.COMPLETED, NOW))
    newest_first = [run.id for run in reversed(runs)]

    def ids(**query):
        return [r.id for r in ledger.read(lambda b: b.runs(RunFilter(**query)))]

    assert ids() == newest_first
    assert ids(limit=2) == newest_first[:2]
    assert ids(limit=2, before=newest_first[1]) == newest_first[2:4]
    assert ids(states=("completed",)) == [ended.id]
    assert ids(states=("completed",), pipeline="sample") == [ended.id]
    assert ids(pipeline="other") == []
    assert ids(labels=(("n", "1"),)) == newest_first[::2]
    assert ids(labels=(("n", "1"),), states=("completed",)) == [ended.id]


def test_a_function_that_raises_rolls_back_its_own_work_only(ledger):
    run = a_run()

    def breaks(books):
        books.add_run(a_run(id="run_broken"))
        raise ValueError("mine alone")

    async def write():
        outcomes = []

        async def attempt(fn):
            try:
                outcomes.append(await ledger.write(fn))
            except ValueError as error:
                outcomes.append(str(error))

        async with anyio.create_task_group() as together:
            together.start_soon(attempt, lambda b: b.add_run(run))
            together.start_soon(attempt, breaks)
            together.start_soon(attempt, lambda b: b.run(run.id).id)
        return outcomes

    assert sorted(map(str, anyio.run(write))) == sorted(["None", "mine alone", run.id])
    assert ledger.read(lambda b: b.run(run.id)) == run
    with pytest.raises(NotFound):
        ledger.read(lambda b: b.run("run_broken"))


def test_a_deleted_run_leaves_nothing_behind(ledger):
    ref = Ref(digest="d9", size_bytes=10**6, media_type="x/y", codec="npy")
    run, (job,) = with_run(ledger, a_job("x"))
    ledger.write_now(lambda b: b.add_outputs(job, {"result": ref}))
    argument = a_job(None, "call")
    ledger.write_now(lambda b: b.add_jobs([(argument, {"x": Stored(ref)})], []))
    ledger.write_now(lambda b: b.delete_run(run.id, NOW))
    (last,) = ledger.read(lambda b: b.events(stream=run.id, after=0, limit=9))
    assert last.kind == "run.deleted"
    with pytest.raises(NotFound):
        ledger.read(lambda b: b.job(job.id))
    assert ledger.read(lambda b: b.referenced_digests()) >= {"d9"}  # the call still names it
    leased = lease(ledger, argument)

    def end(books):
        books.move_job(leased, JobEvent.FAILED, NOW)
        books.close_attempt(leased, "failed", NOW)
        return books.delete_old_calls(NOW + timedelta(seconds=1))

    assert ledger.write_now(end) == 1
    assert "d9" not in ledger.read(lambda b: b.referenced_digests())


def test_ids_are_found_by_their_beginning(ledger):
    run, (job,) = with_run(ledger, a_job("x"))
    assert ledger.read(lambda b: b.ids_from(run.id[:12], 10)) == [run.id]
    assert ledger.read(lambda b: b.ids_from(job.id, 10)) == [job.id]
    assert ledger.read(lambda b: b.latest_run()) == run.id


def test_runs_that_a_limit_holds_back_go_by_priority(ledger):
    held = [
        with_run(ledger, state=RunState.QUEUED, started_at=None, concurrency=1, priority=p)[0]
        for p in (0, 2, 1)
    ]
    active = with_run(ledger, concurrency=1)[0]
    waiting = ledger.read(lambda b: b.waiting_runs("sample", 9))
    assert [run.id for run in waiting] == [held[1].id, held[2].id, held[0].id]
    assert ledger.read(lambda b: b.count_active("sample")) == 1
    assert {r.id for r in ledger.read(lambda b: b.unfinished_runs())} == {
        active.id,
        *(r.id for r in held),
    }


def test_groups_are_counted_by_state_the_newest_first(ledger):
    # Given two groups, and a run of the first that failed and was retried
    failed = {"state": RunState.FAILED, "ended_at": NOW}
    with_run(ledger, labels={"group": "a"}, state=RunState.COMPLETED, ended_at=NOW)
    old, _ = with_run(ledger, labels={"group": "a"}, **failed)
    with_run(ledger, labels={"group": "b", "other": "x"})
    newest, _ = with_run(ledger, labels={"group": "a"}, retry_of=old.id)
    with_run(ledger, labels={"name": "without a group"})

    # When they are listed
    first, second = ledger.read(lambda books: books.groups())

    # Then the retried run counts as its retry alone
    assert (first.name, first.newest, first.pipelines) == ("a", newest.id, ("sample",))
    assert first.states == {"completed": 1, "running": 1}
    assert (first.runs, first.ended, first.ended_at) == (2, 1, None)
    assert (second.name, second.states) == ("b", {"running": 1})
    assert ledger.read(lambda books: books.groups(limit=1)) == [first]
    assert ledger.read(lambda books: books.groups(before=first.newest)) == [second]


def test_the_last_metrics_of_a_run_come_in_the_order_of_its_steps(ledger):
    _, (first, second) = with_run(
        ledger, a_job("queued", step="first"), a_job("queued", step="second")
    )

    def metric(job, name, value, attempt=1):
        return Metric(job_id=job.id, attempt=attempt, name=name, value=value, step=None, at=NOW)

    ledger.write_now(
        lambda books: books.add_metrics(
            [
                metric(second, "loss", 1.0),
                metric(second, "loss", 2.0),
                metric(first, "loss", 3.0),
                metric(first, "accuracy", 4.0, attempt=2),
            ]
        )
    )
    found = ledger.read(lambda books: books.last_metrics_of(first.run_id))
    assert [(m.name, m.value) for m in found] == [("loss", 3.0), ("accuracy", 4.0), ("loss", 2.0)]


def test_a_long_look_sees_what_is_committed_and_nothing_that_comes_meanwhile(ledger):
    run, _ = with_run(ledger, a_job("x"))

    async def main():
        async with anyio.create_task_group() as tasks:
            seen = []

            async def look():
                seen.append(await ledger.read_long(lambda books: books.known_streams()))

            tasks.start_soon(look)
            await ledger.write(lambda books: books.add_owner("own_2", 2, NOW))
        assert seen == [{run.id}]
        with pytest.raises(NotFound, match="run_nothing"):
            await ledger.read_long(lambda books: books.run("run_nothing"))

    anyio.run(main)


def test_many_jobs_that_never_started_end_at_once(ledger):
    run, jobs = with_run(ledger, *(a_job("x", step) for step in "abc"))
    lease(ledger, jobs[2])

    def end(books, some):
        return books.move_unowned([(job, "why") for job in some], JobEvent.ABORT_REQUESTED, NOW)

    with pytest.raises(StaleMove):  # one of them is not what it was: none is moved
        ledger.write_now(lambda books: end(books, jobs))
    assert ledger.read(lambda books: books.job(jobs[0].id)).state == "queued"
    ended = ledger.write_now(lambda books: end(books, jobs[:2]))
    assert [(job.state, job.reason, job.ended_at) for job in ended] == [("aborted", "why", NOW)] * 2
    kept = ledger.read(lambda books: books.jobs_of(run.id))
    assert kept[:2] == ended
    events = ledger.read(lambda books: books.events(stream=run.id, after=0, limit=100))
    assert [e.job_id for e in events if e.kind == "job.abort_requested"] == [j.id for j in ended]
    assert ledger.write_now(lambda books: books.count_down(ended[0], jobs=2)) == 1


def test_the_heads_of_the_queue_are_one_for_each_user(ledger):
    jobs = [
        a_job("x", step, user=user, priority=priority)
        for step, user, priority in [
            ("a", "analyst", 0),
            ("b", "analyst", 2),
            ("c", "trainer", 1),
            ("d", "analyst", 2),
        ]
    ]
    _, jobs = with_run(ledger, *jobs)
    heads = ledger.read(lambda books: books.heads_of_queue())
    assert heads == [("analyst", 2, jobs[1].id), ("trainer", 1, jobs[2].id)]
    assert ledger.read(lambda books: books.users_in_queue()) == ["analyst", "trainer"]
