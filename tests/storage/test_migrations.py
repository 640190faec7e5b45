"""A ledger of an earlier release is brought up to date, after a backup, and loses nothing."""

import sqlite3

import pytest

from samples import NOW
from treadle.errors import Unavailable
from treadle.storage.ledger import migrate
from treadle.storage.ledger.sqlite import SqliteLedger

RUN = "run_000000000000000001"


def ledger_of_schema(path, number):
    """A ledger as the release with that schema left it, with one run in it."""
    db = sqlite3.connect(path)
    for each, sql in migrate.migrations().items():
        if each <= number:
            db.executescript(f"{sql}\nPRAGMA user_version = {each};")
    at = NOW.timestamp()
    db.execute("INSERT INTO pipelines VALUES ('p', '1', '', '{}', ?)", (at,))
    db.execute(
        "INSERT INTO runs (id, pipeline, pipeline_version, state, priority, fail_fast, created_at,"
        " jobs_total, jobs_left) VALUES (?, 'p', '1', 'running', 0, 0, ?, 1, 1)",
        (RUN, at),
    )
    db.execute(
        "INSERT INTO run_orders (run_id, parameters, output) VALUES (?, '{\"n\": 3}', NULL)", (RUN,)
    )
    db.commit()
    db.close()


def test_every_earlier_schema_is_brought_up_to_date(tmp_path):
    for number in range(1, migrate.latest()):
        # Given
        path = tmp_path / f"{number}.db"
        ledger_of_schema(path, number)
        # When
        ledger = SqliteLedger(path)
        # Then
        run = ledger.read(lambda books: books.run(RUN))
        assert (run.parameters, run.source) == ({"n": 3}, None)
        assert ledger.read(lambda books: books.secrets_of(RUN)) == {}
        ledger.write_now(lambda books: books.add_secrets(RUN, {"KEY": b"sealed"}))
        ledger.close()
        with sqlite3.connect(f"{path}.schema-{number}.backup") as backup:
            assert backup.execute("PRAGMA user_version").fetchone() == (number,)
            assert backup.execute("SELECT id FROM runs").fetchall() == [(RUN,)]
        backup.close()


def test_an_earlier_schema_is_not_read_before_an_owner_has_brought_it_up_to_date(tmp_path):
    path = tmp_path / "ledger.db"
    ledger_of_schema(path, migrate.latest() - 1)

    with pytest.raises(Unavailable, match=r"earlier Treadle .* `treadle run` or `treadle up`"):
        SqliteLedger(path, read_only=True)

    SqliteLedger(path).close()
    SqliteLedger(path, read_only=True).close()
