"""Processes are killed at random moments; nothing acknowledged is lost, nothing is left behind."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from treadle.interfaces import RunFilter
from treadle.model.states import JOB_ENDS, RUN_ENDS
from treadle.storage.ledger.sqlite import SqliteLedger

STREAM = Path(__file__).with_name("stream.py")
RUNS, STEPS = 10, 100
LONGEST_SECONDS = 120
KILLS = {"owner": 5, "fork server": 5, "slot": 12, "grandchild": 8}


class Owner:
    """A stream.py process and what it said."""

    def __init__(self, data_dir: Path, effects: Path, runs: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, STREAM, data_dir, effects, str(runs), str(STEPS)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.accepted: list[str] = []
        self.ready = threading.Event()
        self.finished = False
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.ready.set()
            word, _, rest = line.strip().partition(" ")
            if word == "accepted":
                self.accepted.append(rest)
            elif word == "all":
                self.finished = True

    def family(self) -> dict[str, list[psutil.Process]]:
        """Whom to kill, by what they are."""
        me = psutil.Process(self.process.pid)
        servers = me.children()
        slots = [slot for server in servers for slot in server.children()]
        others = [child for slot in slots for child in slot.children(recursive=True)]
        return {"owner": [me], "fork server": servers, "slot": slots, "grandchild": others}

    def wait(self) -> int:
        code = self.process.wait(LONGEST_SECONDS)
        self._listener.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def kill_one(owner: Owner, chance: random.Random, left: dict[str, int]) -> str | None:
    """Kill one of the family, of a kind that is still to be killed; return the kind."""
    try:
        family = owner.family()
        kinds = [kind for kind in family if family[kind] and left[kind] > 0]
        if not kinds:
            return None
        kind = "grandchild" if "grandchild" in kinds else chance.choice(kinds)  # they are rare
        chance.choice(family[kind]).send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return None
    left[kind] -= 1
    return kind


def marked(mark: bytes) -> list[int]:
    """Processes that carry the mark in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.timeout(LONGEST_SECONDS + 60)
def test_nothing_acknowledged_is_lost_whoever_is_killed(tmp_path):
    # Given a stream of a thousand small jobs
    seed = random.randrange(2**32)
    chance, left = random.Random(seed), dict(KILLS)
    print(f"seed {seed}")
    data_dir, effects = tmp_path / "data", tmp_path / "effects"
    effects.mkdir()
    os.environ["TREADLE_TEST_MARK"] = mark = f"kill-test-{os.getpid()}-{seed}"
    accepted: list[str] = []
    owner = Owner(data_dir, effects, RUNS)
    deadline = time.monotonic() + LONGEST_SECONDS
    # When owner, fork server, slots and grandchildren are killed at random moments
    while not owner.finished and time.monotonic() < deadline:
        owner.ready.wait(30)
        time.sleep(chance.uniform(0.02, 0.25))
        if kill_one(owner, chance, left) == "owner":
            assert owner.wait() == -signal.SIGKILL
            accepted += owner.accepted
            owner = Owner(data_dir, effects, RUNS - len(accepted))
    code = owner.wait()
    accepted += owner.accepted
    del os.environ["TREADLE_TEST_MARK"]
    # Then all that was acknowledged has ended, each job once
    assert code == 0
    killed = {kind: KILLS[kind] - left[kind] for kind in KILLS}
    print(f"killed {killed}")
    assert sum(killed.values()) >= 10
    assert killed["grandchild"] > 0
    ledger = SqliteLedger(data_dir / "ledger.db", read_only=True)
    runs = {run.id: run for run in ledger.read(lambda b: b.runs(RunFilter(limit=1000)))}
    assert len(accepted) == RUNS
    assert set(accepted) <= set(runs)
    for run in runs.values():
        assert run.state in RUN_ENDS
        assert run.jobs_left == 0
        check_jobs(ledger, run, effects)
    ledger.close()
    # and nothing is left: no process, no temporary file
    assert marked(mark.encode()) == []
    assert [p for p in data_dir.rglob("*") if "tmp" in p.parent.name] == []
    assert not (data_dir / "owner.sock").exists()


def check_jobs(ledger, run, effects):
    jobs = ledger.read(lambda b: b.jobs_of(run.id))
    events = ledger.read(lambda b: b.events(stream=run.id, after=0, limit=10**6))
    ends = Counter(e.job_id for e in events if e.data.get("state") in JOB_ENDS)
    assert [e.number for e in events] == list(range(1, len(events) + 1))
    traces = Counter((effects / run.parameters["name"]).read_text().split())
    for job in jobs:
        assert job.state in JOB_ENDS
        assert ends[job.id] == 1
        attempts = ledger.read(lambda b, i=job.id: b.attempts_of(i))
        assert [a.number for a in attempts] == list(range(1, job.attempt + 1))
        assert all(a.ended_at is not None for a in attempts)
        assert sum(a.end == "completed" for a in attempts) == (job.state == "completed")
        if job.state == "completed" and not job.step.startswith("add"):
            given = ledger.read(lambda b, i=job.id: b.arguments_of(i))
            script = given["parameters"].value if "parameters" in given else None
            assert traces[str(script["n"] if script else given["n"].value)] >= 1
