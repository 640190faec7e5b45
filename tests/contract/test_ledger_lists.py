"""What every ledger must list, whatever keeps it."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from samples import NOW, a_job, a_run, a_submission, a_tool
from treadle.errors import NotFound
from treadle.interfaces import RunFilter
from treadle.model.ids import first_at
from treadle.model.states import RUN_ENDS, RunState
from treadle.storage.ledger.sqlite import SqliteLedger

STATES = (RunState.RUNNING, RunState.COMPLETED, RunState.FAILED, RunState.ABORTED)
PIPELINES, USERS = ("clean", "train"), ("analyst", "trainer", "cy")


def the_run(number):
    """One a minute; each ends after a time of its own."""
    at = NOW + timedelta(minutes=number)
    state = STATES[number // 2 % 4]
    return a_run(
        id=f"{first_at('run', at)}{number:08}",
        pipeline=PIPELINES[number % 2],
        state=state,
        user=USERS[number % 3],
        created_at=at,
        started_at=at,
        ended_at=at + timedelta(minutes=1 + number * 7 % 13) if state in RUN_ENDS else None,
        labels={"team": f"t{number % 5}", "parity": str(number % 2)},
    )


RUNS = [the_run(number) for number in range(48)]


@pytest.fixture(scope="module", params=["file", "memory"])
def ledger(request, tmp_path_factory):
    where = tmp_path_factory.mktemp("lists") / "ledger.db"
    ledger = SqliteLedger(":memory:" if request.param == "memory" else where)

    def fill(books):
        for name in PIPELINES:
            books.add_pipeline(replace(a_submission({}).pipeline, name=name), NOW)
        for run in RUNS:
            books.add_run(run)

    ledger.write_now(fill)
    yield ledger
    ledger.close()


def fits(run, query):
    return (
        (not query.states or run.state in query.states)
        and query.pipeline in (None, run.pipeline)
        and query.user in (None, run.user)
        and all(run.labels.get(key) == value for key, value in query.labels)
        and (query.since is None or run.created_at >= query.since)
        and (query.until is None or run.created_at < query.until)
        and (query.sort == "created" or run.ended_at is not None)
    )


def expected(query):
    def key(run):
        return (run.ended_at, run.id) if query.sort == "ended" else run.id

    found = [run for run in RUNS if fits(run, query)]
    return sorted(found, key=key, reverse=not query.oldest_first)


def pages(ledger, query):
    """All that the pages hold, each behind the last run of the one before."""
    found = []
    while page := ledger.read(lambda books, asked=query: books.runs(asked)):
        assert len(page) <= query.limit
        found += page
        query = replace(query, before=page[-1].id, before_ended_at=page[-1].ended_at)
    return found


FILTERS = [
    dict(zip(("states", "pipeline", "user", "labels", "since"), values, strict=True))
    for values in product(
        ((), ("failed",), ("completed", "running", "aborted")),
        (None, "train", "nothing"),
        (None, "trainer"),
        ((), (("team", "t3"),), (("team", "t3"), ("parity", "1"))),
        (None, NOW + timedelta(minutes=20)),
    )
]


@pytest.mark.parametrize("sort, oldest_first", list(product(["created", "ended"], [False, True])))
def test_the_pages_of_every_filter_and_order_hold_what_fits_each_once(ledger, sort, oldest_first):
    for asked in FILTERS:
        query = RunFilter(**asked, sort=sort, oldest_first=oldest_first, limit=3)
        assert pages(ledger, query) == expected(query), query


@pytest.mark.parametrize("sort", ["created", "ended"])
def test_filters_that_many_runs_fit_find_the_same(ledger, sort, monkeypatch):
    monkeypatch.setattr("treadle.storage.ledger.listing.FEW", {sort: -1})
    for asked in FILTERS:
        query = RunFilter(**asked, sort=sort, limit=3)
        assert pages(ledger, query) == expected(query), query


def test_until_leaves_out_what_was_created_then_or_later(ledger):
    moment = RUNS[10].created_at
    query = RunFilter(until=moment, limit=100)
    assert ledger.read(lambda books: books.runs(query)) == RUNS[9::-1]
    both = RunFilter(since=moment, until=moment + timedelta(seconds=1), limit=100)
    assert ledger.read(lambda books: books.runs(both)) == [RUNS[10]]


def test_a_label_cannot_have_two_values(ledger):
    query = RunFilter(labels=(("team", "t3"), ("team", "t4")))
    assert ledger.read(lambda books: books.runs(query)) == []


def test_a_page_begins_behind_a_run_that_is_gone(tmp_path):
    ledger = SqliteLedger(tmp_path / "ledger.db")

    def fill(books):
        for name in PIPELINES:
            books.add_pipeline(replace(a_submission({}).pipeline, name=name), NOW)
        for run in RUNS[:8]:
            books.add_run(run)

    ledger.write_now(fill)
    for sort in ("created", "ended"):
        query = RunFilter(sort=sort, limit=2)
        first = ledger.read(lambda books, query=query: books.runs(query))
        last = first[-1]
        ledger.write_now(lambda books, last=last: books.delete_run(last.id, NOW))
        behind = replace(query, before=last.id, before_ended_at=last.ended_at)
        following = ledger.read(lambda books, behind=behind: books.runs(behind))
        assert last not in following
        assert following == [r for r in expected(RunFilter(sort=sort)) if r in RUNS[:8]][2:4]
        ledger.write_now(lambda books, last=last: books.add_run(last))
    ledger.close()


def test_calls_are_found_by_state_and_user_newest_first(tmp_path):
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.write_now(lambda books: books.add_tools([a_tool()], NOW))
    jobs = [a_job(None, user=USERS[number % 3]) for number in range(9)]
    ledger.write_now(lambda books: books.add_jobs([(job, {}) for job in jobs], []))

    def calls(**asked):
        usual = {"states": (), "user": None, "before": None, "limit": 4}
        return ledger.read(lambda books: books.calls(**usual | asked))

    found, behind = calls()
    assert found == jobs[:4:-1]
    assert calls(before=behind)[0] == jobs[4:0:-1]
    assert calls(user="trainer") == (jobs[7::-3], None)
    assert calls(states=("completed", "failed")) == ([], None)
    assert calls(states=("queued",), limit=1)[0] == [jobs[-1]]
    ledger.close()


def test_tools_are_named_in_order_each_with_its_newest_definition(ledger):
    def add(books):
        for number, name in enumerate(("a/b", "a/b", "b", "ä")):
            tool = a_tool(name, id=f"{name}@{number}", version=str(number))
            books.add_tools([tool], NOW + timedelta(seconds=number))

    ledger.write_now(add)
    found = ledger.read(lambda books: books.tool_names(prefix="", after="", limit=9))
    assert [(each.name, each.versions) for each in found] == [("a/b", 2), ("b", 1), ("ä", 1)]
    assert found[0].newest.tool.version == "1"
    behind = ledger.read(lambda books: books.tool_names(prefix="", after="a/b", limit=1))
    assert [each.name for each in behind] == ["b"]
    one = ledger.read(lambda books: books.tool_of_version("a/b", "0"))
    assert one.tool.id == "a/b@0"
    assert ledger.read(lambda books: books.tool_of_version("a/b", "a/b@1")).tool.version == "1"
    with pytest.raises(NotFound, match="no tool 'b' of version '7'"):
        ledger.read(lambda books: books.tool_of_version("b", "7"))


def test_pipelines_are_named_with_their_runs(ledger):
    found = ledger.read(lambda books: books.pipeline_names(prefix="", after="", limit=9))
    assert [(each.name, each.runs) for each in found] == [("clean", 24), ("train", 24)]
    assert [each.last_run for each in found] == [RUNS[-2].id, RUNS[-1].id]
    last = ledger.read(lambda books: books.last_run_of_version("train", "1"))
    assert last == RUNS[-1].id
    assert ledger.read(lambda books: books.last_run_of_version("train", "2")) is None
