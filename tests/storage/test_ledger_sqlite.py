"""What only the SQLite ledger promises: files, migrations, indexes, full disks."""

import re
import sqlite3
import subprocess
import sys
import textwrap
import threading

import anyio
import pytest

from samples import NOW, a_run, a_submission
from treadle.errors import NewerSchema, NotFound, StorageFull, Unavailable
from treadle.interfaces import RunFilter
from treadle.storage.ledger import migrate
from treadle.storage.ledger.books import QUERIES
from treadle.storage.ledger.sqlite import SqliteLedger


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def test_every_query_is_prepared_by_sqlite(path):
    SqliteLedger(path).close()
    db = sqlite3.connect(path)
    for name in QUERIES.available_queries:
        if not name.endswith("_cursor"):
            sql = getattr(QUERIES, name).sql
            db.execute("EXPLAIN " + sql, dict.fromkeys(re.findall(r":([a-z_]+)", sql)))
    db.close()


@pytest.mark.parametrize(
    "name",
    [
        "queued_jobs",
        "leased_jobs",
        "jobs_backing_off",
        "jobs_of",
        "promote_children",
        "last_number",
        "inputs_of",
        "events_of_stream",
        "metrics_of_run",
        "latest_run",
        "unended_calls",
        "ended_runs_before",
        "delete_old_calls",
    ],
)
def test_lists_use_an_index_and_sort_nothing(path, name):
    SqliteLedger(path).close()
    db = sqlite3.connect(path)
    sql = getattr(QUERIES, name).sql
    names = dict.fromkeys(re.findall(r":([a-z_]+)", sql))
    plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + sql, names)]
    db.close()
    if name not in ("metrics_of_run", "unended_calls"):  # of several jobs; few rows
        assert not [line for line in plan if "TEMP B-TREE" in line], plan
    assert not [line for line in plan if re.match(r"SCAN (?!runs$)(?!.*USING)", line)], plan


def test_groups_and_last_metrics_are_found_by_index(path):
    SqliteLedger(path).close()
    db = sqlite3.connect(path)
    for name in ("groups", "active_in_group", "began_in_group", "last_metrics_of_run"):
        sql = getattr(QUERIES, name).sql
        names = dict.fromkeys(re.findall(r":([a-z_]+)", sql))
        plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + sql, names)]
        of_tables = [
            line for line in plan if re.search(r"\b(run_labels|runs|jobs|metrics)\b", line)
        ]
        assert of_tables
        assert not [line for line in of_tables if not line.startswith("SEARCH")], plan
    db.close()


def test_a_ledger_of_a_newer_release_is_refused(path):
    SqliteLedger(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 999")
    db.close()
    for read_only in (False, True):
        with pytest.raises(NewerSchema, match=r"999.*Upgrade"):
            SqliteLedger(path, read_only=read_only)


def test_an_older_ledger_is_copied_before_it_is_migrated(path, monkeypatch):
    # Given a ledger with a run, and a release with one more migration
    ledger = SqliteLedger(path)
    run = a_run()
    ledger.write_now(lambda b: b.add_pipeline(a_submission({}).pipeline, NOW))
    ledger.write_now(lambda b: b.add_run(run))
    ledger.close()
    known = migrate.migrations()
    more = {**known, max(known) + 1: "CREATE TABLE extra (x) STRICT;".replace(" STRICT", "")}
    monkeypatch.setattr(migrate, "migrations", lambda: more)
    # When it is opened
    ledger = SqliteLedger(path)
    # Then nothing is lost, and the old file stands beside it
    assert ledger.read(lambda b: b.run(run.id)) == run
    ledger.close()
    backup = sqlite3.connect(f"{path}.schema-{max(known)}.backup")
    assert backup.execute("SELECT id FROM runs").fetchone() == (run.id,)
    backup.close()


def test_a_migration_that_fails_changes_nothing(path, monkeypatch):
    SqliteLedger(path).close()
    known = migrate.migrations()
    broken = {**known, max(known) + 1: "CREATE TABLE extra (x); CREATE TABLE extra (x);"}
    monkeypatch.setattr(migrate, "migrations", lambda: broken)
    with pytest.raises(Unavailable, match="already exists"):
        SqliteLedger(path)
    monkeypatch.undo()
    SqliteLedger(path).close()


def test_a_file_that_is_no_database_is_named(path):
    path.write_bytes(b"this is no database at all, but it is long enough to be looked at" * 20)
    with pytest.raises(Unavailable, match=r"ledger\.db cannot be used: file is not a database"):
        SqliteLedger(path)


def test_a_ledger_locked_by_another_program_is_said_to_be(path, monkeypatch):
    monkeypatch.setattr("treadle.storage.ledger.sqlite.LOCKED_SECONDS", 0.05)
    ledger = SqliteLedger(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked by another program"):
        anyio.run(ledger.write, lambda b: b.add_owner("own_1", 1, NOW))
    other.execute("ROLLBACK")
    other.close()
    anyio.run(ledger.write, lambda b: b.add_owner("own_1", 1, NOW))
    ledger.close()


def test_who_waits_for_another_program_to_unlock_the_ledger_holds_up_nobody_else(path):
    ledger = SqliteLedger(path)
    other = sqlite3.connect(path, isolation_level=None)

    async def main():
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(ledger.write, lambda b, n=number: b.add_owner(f"o{n}", 1, NOW))
            for _ in range(5):  # the loop goes on, and reads are answered
                await anyio.sleep(0.01)
                assert ledger.read(lambda b: b.runs(RunFilter())) == []
            assert other.execute("SELECT count(*) FROM owners").fetchone()[0] == 0
            other.execute("ROLLBACK")
        assert other.execute("SELECT count(*) FROM owners").fetchone()[0] == 3

    anyio.run(main)
    other.close()
    ledger.close()


def test_a_full_disk_undoes_the_transaction_and_says_so(small_disk):
    ledger = SqliteLedger(small_disk / "ledger.db")
    ledger.write_now(lambda b: b.add_pipeline(a_submission({}).pipeline, NOW))
    runs = []
    with pytest.raises(StorageFull, match=r"ledger\.db cannot be written.*Free some space"):
        for _ in range(2000):
            run = a_run(parameters={"blob": "x" * 4000})
            ledger.write_now(lambda b, r=run: b.add_run(r))
            runs.append(run.id)
    kept = ledger.read(lambda b: b.runs(RunFilter(limit=5000)))
    assert [run.id for run in reversed(kept)] == runs
    ledger.close()


def test_acknowledged_writes_survive_kill_9(path):
    writer = textwrap.dedent("""
        import anyio, os, signal, sys
        from samples import NOW
        from treadle.storage.ledger.sqlite import SqliteLedger

        async def main():
            ledger = SqliteLedger(sys.argv[1])
            for n in range(100):
                await ledger.write(lambda b: b.add_owner(f"own_{n}", n, NOW))
                print(n, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

        anyio.run(main)
    """)
    done = subprocess.run(
        [sys.executable, "-c", writer, str(path)],
        capture_output=True,
        check=False,
        env={"PYTHONPATH": "tests"},
    )
    assert done.returncode == -9, done.stderr
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM owners").fetchone() == (100,)
    db.close()


def test_readers_see_what_the_owner_wrote_while_it_writes(path):
    owner = SqliteLedger(path)
    reader = SqliteLedger(path, read_only=True)
    owner.write_now(lambda b: b.add_pipeline(a_submission({}).pipeline, NOW))
    run = a_run()
    owner.write_now(lambda b: b.add_run(run))
    assert reader.read(lambda b: b.run(run.id)) == run
    with pytest.raises(Unavailable, match="readonly"):
        reader.write_now(lambda b: b.add_run(a_run()))
    reader.close()
    owner.close()


def test_the_write_ahead_log_is_moved_into_the_file_meanwhile(path):
    ledger = SqliteLedger(path)
    before = path.stat().st_size
    ledger.write_now(lambda b: b.add_pipeline(a_submission({}).pipeline, NOW))
    grown = threading.Event()

    def look():
        while path.stat().st_size == before:
            if grown.wait(0.05):
                return
        grown.set()

    looker = threading.Thread(target=look)
    looker.start()
    ledger.write_now(lambda b: [b.add_run(a_run(parameters={"x": "y" * 9000})) for _ in range(20)])
    assert grown.wait(10)
    looker.join()
    ledger.close()
    assert not path.with_name("ledger.db-wal").exists()


def test_the_write_ahead_log_is_cut_under_a_steady_stream_of_commits(path, monkeypatch):
    monkeypatch.setattr("treadle.storage.ledger.sqlite.CHECKPOINT_SECONDS", 0.02)
    monkeypatch.setattr("treadle.storage.ledger.sqlite.LONG_LOG_PAGES", 250)
    ledger, log, longest = SqliteLedger(path), path.with_name("ledger.db-wal"), 0
    for _ in range(20_000):
        ledger.write_now(lambda b: b.add_event("s", "k", NOW, None, {"x": "y" * 20_000}))
        if log.stat().st_size < longest:
            break
        longest = log.stat().st_size
    else:
        pytest.fail(f"it has grown to {longest} bytes")
    ledger.close()


@pytest.mark.parametrize("name", ["50%25", "a#b", "what?", "two words"])
def test_a_directory_of_any_name_can_be_read(tmp_path, name):
    path = tmp_path / name / "ledger.db"
    path.parent.mkdir()
    ledger = SqliteLedger(path)
    run = a_run(pipeline="sample")
    ledger.write_now(lambda b: [b.add_pipeline(a_submission({}).pipeline, NOW), b.add_run(run)])
    reader = SqliteLedger(path, read_only=True)
    assert [found.id for found in reader.read(lambda b: b.runs(RunFilter()))] == [run.id]
    reader.close()
    ledger.close()


def test_a_ledger_on_a_disk_that_nobody_can_write_is_read(small_disk):
    ledger = SqliteLedger(small_disk / "ledger.db")
    ledger.write_now(lambda b: b.add_pipeline(a_submission({}).pipeline, NOW))
    run = a_run()
    ledger.write_now(lambda b: b.add_run(run))
    ledger.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    reader = SqliteLedger(small_disk / "ledger.db", read_only=True)
    assert reader.read(lambda b: b.run(run.id)) == run
    reader.close()


def test_a_reader_of_an_empty_ledger_is_told_so(path):
    path.touch()
    with pytest.raises(NotFound, match="nothing in the ledger"):
        SqliteLedger(path, read_only=True)
