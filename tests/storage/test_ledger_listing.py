"""Pages of the runs list are read from an index, whatever is asked for."""

import re
from datetime import timedelta

import pytest

from samples import NOW, a_run, a_submission
from treadle.interfaces import RunFilter
from treadle.storage.ledger import listing
from treadle.storage.ledger.sqlite import SqliteLedger

FILTERS = {
    "nothing": {},
    "one state": {"states": ("failed",)},
    "states": {"states": ("failed", "aborted")},
    "a pipeline": {"pipeline": "sample"},
    "a pipeline's states": {"pipeline": "sample", "states": ("failed", "running")},
    "a label": {"labels": (("team", "a"),)},
    "a user": {"user": "analyst"},
    "much": {
        "labels": (("team", "a"), ("group", "g")),
        "user": "analyst",
        "states": ("failed",),
        "pipeline": "sample",
        "since": NOW,
        "until": NOW + timedelta(days=1),
    },
}


@pytest.fixture
def db(tmp_path):
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.write_now(lambda books: books.add_pipeline(a_submission({}).pipeline, NOW))
    ledger.write_now(lambda b: b.add_run(a_run(user="analyst", labels={"team": "a", "group": "g"})))
    yield ledger._db
    ledger.close()


@pytest.fixture(params=["with a rare filter", "with frequent filters alone"])
def frequency(request, monkeypatch):
    if request.param == "with frequent filters alone":
        monkeypatch.setattr(listing, "FEW", {"created": -1, "ended": -1})
    return request.param


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("sort", ["created", "ended"])
@pytest.mark.parametrize("asked", FILTERS.values(), ids=FILTERS)
def test_no_page_reads_all_runs_or_sorts_many(db, frequency, asked, sort, oldest_first):
    query = RunFilter(**asked, sort=sort, oldest_first=oldest_first)
    statement, values = listing.statement_of(db, query)
    plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statement, values)]
    few = "json_each" in statement
    assert few or not [line for line in plan if "TEMP B-TREE" in line], plan
    scans = [line for line in plan if line.startswith("SCAN") and "few" not in line]
    assert not [line for line in scans if not re.search("USING", line)], plan


@pytest.mark.parametrize("asked", FILTERS.values(), ids=FILTERS)
def test_a_page_is_the_same_however_it_is_found(db, frequency, asked):
    fits = asked not in (FILTERS["one state"], FILTERS["states"], FILTERS["much"])
    assert len(listing.page_of(db, RunFilter(**asked))) == fits
