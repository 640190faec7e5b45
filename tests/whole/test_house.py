"""Things go wrong around a whole house: each is named or survived, and everything else goes on."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import treadle
from treadle import pipeline, tool


@tool
def large(megabytes: int) -> np.ndarray:
    return np.random.default_rng(megabytes).random(megabytes * 131072)


@tool
def small(n: int) -> int:
    return n + 1


@tool
def chatty(megabytes: int) -> int:
    line = b"x" * 1023 + b"\n"
    for _ in range(megabytes):
        os.write(1, line * 1024)
    return megabytes


@tool
def slow(seconds: float) -> float:
    threading.Event().wait(seconds)
    return seconds


@tool
def wordy(seconds: float, count: int, mark: str) -> int:
    Path(mark).touch()
    threading.Event().wait(seconds)
    for n in range(count):
        treadle.log_metric("n", n, n)
    return count


@pipeline
def both(megabytes: int):
    return {"large": large(megabytes), "small": small(1)}


@pipeline
def talk(megabytes: int):
    return chatty(megabytes)


@pipeline
def rest(seconds: float):
    return [slow(seconds), slow(seconds)]


@pipeline
def measured(seconds: float, count: int, marks: str):
    return [wordy(seconds, count, f"{marks}-{n}") for n in range(2)]


def test_a_full_disk_fails_the_step_that_fills_it_and_nothing_else(filling_disk):
    with treadle.local(slots=2, data_dir=filling_disk / "data") as t:
        # Given a result larger than the disk
        run = t.run(both, megabytes=40)
        # Then its step says so, and the other step has its result
        assert run.state == "failed"
        failure = run["large"].failure
        assert failure is not None
        assert "full" in failure.message or "No space" in failure.message
        assert run["small"].result() == 2
        # and there is room again for what fits
        again = t.run(both, megabytes=8)
        assert again.state == "completed"
        assert len(again["large"].result()) == 8 * 131072
        # until that is removed too
        assert t.run(both, megabytes=20).state == "failed"


def test_a_disk_filled_by_others_delays_what_is_to_be_recorded_but_loses_nothing(filling_disk):
    data_dir = filling_disk / "data"
    with treadle.local(slots=2, data_dir=data_dir) as t:
        # Given two steps that have more to tell than the ledger's files have room for by then
        marks = filling_disk.parent / "begun"
        run = t.submit(measured, seconds=0.5, count=20_000, marks=str(marks))
        while len([*marks.parent.glob("begun-*")]) < 2:
            time.sleep(0.01)
        # When somebody else fills the disk while both steps are under way
        hog = filling_disk / "hog"
        with pytest.raises(OSError, match="No space"), hog.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65536))
        with pytest.raises(TimeoutError):  # both steps have ended, which cannot be recorded
            run.wait(timeout=2)
        # Then what they came to is recorded as soon as there is room
        hog.unlink()
        assert run.wait(timeout=30).state == "completed"
        assert len(run.metrics()) == 40_000


def test_a_gigabyte_of_output_is_cut_with_a_mark_and_fills_no_memory(tmp_path):
    with treadle.local(slots=2, data_dir=tmp_path, output_limit="4MB") as t:
        before = psutil.Process().memory_info().rss
        run = t.run(talk, megabytes=1024)
        assert run.state == "completed"
        assert run["chatty"].result() == 1024
        grown = psutil.Process().memory_info().rss - before
        assert grown < 64 * 2**20
        log = b"".join(run.logs("chatty"))
        assert len(log) < 5_000_000
        assert b"dropped" in log[-300:]


def test_a_machine_that_is_suspended_goes_on_where_it_was(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
import treadle
from test_house import rest
with treadle.local(slots=2, data_dir={str(tmp_path)!r}) as t:
    run = t.submit(rest, seconds=1.0)
    print("running", flush=True)
    print(run.wait().state, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "running\n"
        family = [psutil.Process(owner.pid), *psutil.Process(owner.pid).children(recursive=True)]
        for process in family:
            process.send_signal(signal.SIGSTOP)
        threading.Event().wait(2)
        for process in reversed(family):
            process.send_signal(signal.SIGCONT)
        assert owner.stdout.read() == "completed\n"
    assert owner.returncode == 0
