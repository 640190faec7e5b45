"""What jobs print is kept byte by byte, found by offset, and forgotten with its run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.errors import NotFound, StorageFull, Unavailable
from treadle.storage.logs import LogStore


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[LogStore]:
    store = LogStore(tmp_path / "logs", open_files=3)
    yield store
    store.close()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_there_before_the_first_byte(logs: LogStore) -> None:
    assert not logs.directory.exists()
    assert logs.size("run_1", "job_1", 1) == 0
    assert logs.read("run_1", "job_1", 1) == logs.tail("run_1", "job_1", 1) == b""


def test_output_and_errors_are_kept_in_order_of_arrival(logs: LogStore) -> None:
    assert logs.append("run_1", "job_1", 1, b"one\n") == 4
    assert logs.append("run_1", "job_1", 1, b"oh no\n", "err") == 10
    assert logs.append("run_1", "job_1", 1, b"two\n", "out") == 14

    assert logs.read("run_1", "job_1", 1) == b"one\noh no\ntwo\n"
    assert logs.size("run_1", "job_1", 1) == 14
    assert logs.path("run_1", "job_1", 1) == logs.directory / "run_1" / "job_1.1.log"


def test_a_reader_goes_on_where_it_stopped(logs: LogStore) -> None:
    logs.append("run_1", "job_1", 1, b"0123456789")

    assert logs.read("run_1", "job_1", 1, offset=4, limit=3) == b"456"
    assert logs.read("run_1", "job_1", 1, offset=10) == b""
    assert logs.read("run_1", "job_1", 1, offset=99) == b""


def test_each_attempt_has_a_log_of_its_own(logs: LogStore) -> None:
    logs.append("run_1", "job_1", 1, b"first")
    logs.append("run_1", "job_1", 2, b"second")

    assert logs.read("run_1", "job_1", 1) == b"first"
    assert logs.read("run_1", "job_1", 2) == b"second"


def test_the_tail_is_the_last_lines(logs: LogStore) -> None:
    logs.append("run_1", "job_1", 1, b"".join(b"line %d\n" % n for n in range(100_000)) + b"end")

    assert logs.tail("run_1", "job_1", 1, lines=3) == b"line 99998\nline 99999\nend"
    assert logs.tail("run_1", "job_1", 1, lines=0) == b""


def test_few_files_stay_open_however_many_jobs_print(logs: LogStore) -> None:
    before = open_descriptors()

    for turn in range(3):
        for job in range(20):
            logs.append("run_1", f"job_{job}", 1, b"%d" % turn)

    assert open_descriptors() - before == 3
    assert {logs.read("run_1", f"job_{job}", 1) for job in range(20)} == {b"012"}
    logs.close()
    assert open_descriptors() == before


def test_a_run_that_is_removed_takes_its_logs_along(logs: LogStore) -> None:
    logs.append("run_1", "job_1", 1, b"gone")
    logs.append("run_2", "job_2", 1, b"here")

    logs.remove("run_1")
    logs.remove("run_1")

    assert logs.read("run_1", "job_1", 1) == b""
    assert logs.read("run_2", "job_2", 1) == b"here"
    assert not (logs.directory / "run_1").exists()
    assert logs.append("run_1", "job_1", 1, b"new") == 3


def test_appending_after_a_restart_goes_on(logs: LogStore) -> None:
    logs.append("run_1", "job_1", 1, b"before ")
    logs.close()

    assert LogStore(logs.directory).append("run_1", "job_1", 1, b"after") == 12

    assert logs.read("run_1", "job_1", 1) == b"before after"


@pytest.mark.parametrize("name", ["..", "a/b", "", "run_1\0"])
def test_what_is_no_id_leads_nowhere(logs: LogStore, name: str) -> None:
    for attempt in (
        lambda: logs.append(name, "job_1", 1, b"x"),
        lambda: logs.read("run_1", name, 1),
        lambda: logs.remove(name),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_a_full_disk_is_said(small_disk: Path) -> None:
    logs = LogStore(small_disk)

    with pytest.raises(StorageFull, match="treadle gc"):
        logs.append("run_1", "job_1", 1, bytes(30 * 2**20))

    logs.close()


def test_a_directory_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    logs = LogStore(tmp_path / "file")

    with pytest.raises(Unavailable, match="file"):
        logs.append("run_1", "job_1", 1, b"x")
    with pytest.raises(Unavailable, match="file"):
        logs.read("run_1", "job_1", 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.binary(max_size=50)), max_size=20),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_any_order_of_appends_reads_back(
    logs: LogStore, appends: list[tuple[int, bytes]], offset: int, limit: int
) -> None:
    logs.remove("run_1")
    model: dict[int, bytes] = {}

    for job, data in appends:
        model[job] = model.get(job, b"") + data
        assert logs.append("run_1", f"job_{job}", 1, data) == len(model[job])

    for job, kept in model.items():
        read = logs.read("run_1", f"job_{job}", 1, offset=offset, limit=limit)
        assert read == kept[offset : offset + limit]
