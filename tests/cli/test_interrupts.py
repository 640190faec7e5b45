"""Ctrl-C and its relatives, and two commands on one data directory."""

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
from test_run import read_until

from treadle.cli.signals import SAME_SECONDS


def wait_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive


def family(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_ctrl_c_aborts_the_run_and_waits_for_proof(treadle):
    # Given a run with a step that never ends
    process = treadle.begin("run", "pipelines.py:patient")
    read_until(process, "waiting")
    children = family(process)
    # When interrupted
    process.send_signal(signal.SIGINT)
    # Then it is aborted, and nothing of it is left
    assert process.wait(30) == 130
    assert b"aborting" in process.stdout.read()
    wait_gone(children)
    assert treadle.json("show", "@last")["run"]["state"] == "aborted"


def test_sigterm_aborts_too(treadle):
    process = treadle.begin("run", "pipelines.py:patient")
    read_until(process, "waiting")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert treadle.json("show", "@last")["run"]["state"] == "aborted"


def test_a_second_ctrl_c_leaves_at_once_and_the_run_can_be_recovered(treadle):
    # Given a run whose step takes its time to end
    process = treadle.begin("run", "pipelines.py:stubborn")
    read_until(process, "waiting")
    children = family(process)
    # When interrupted twice
    process.send_signal(signal.SIGINT)
    read_until(process, "aborting")
    psutil.Process().cpu_percent(interval=2 * SAME_SECONDS)
    process.send_signal(signal.SIGINT)
    # Then it leaves, and its processes die with it
    assert process.wait(4) == 130
    wait_gone(children)
    # and the run ends under the next owner
    assert treadle.json("abort", "@last")["run"]["state"] == "aborted"


def test_a_ctrl_c_that_arrives_twice_at_once_aborts_in_order(treadle):
    # As under `timeout` or `make`, which pass on what the terminal sent to all
    process = treadle.begin("run", "pipelines.py:patient")
    read_until(process, "waiting")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert treadle.json("show", "@last")["run"]["state"] == "aborted"


def test_a_closed_terminal_loses_nothing(treadle):
    process = treadle.begin("run", "pipelines.py:patient")
    read_until(process, "waiting")
    children = family(process)
    process.send_signal(signal.SIGHUP)
    assert process.wait(30) == 129
    wait_gone(children)
    run = treadle.json("show", "@last")["run"]
    assert run["state"] == "running"
    # what looks at it says that it waits
    waits = f"Run {run['id']} is running, and nothing works on it now"
    assert waits in treadle.all("show", run["id"]).stderr
    assert waits in treadle.all("ps").stderr
    assert "goes on by itself" in treadle.all("retry", run["id"], code=2).stderr
    # the next owner goes on with it
    treadle.mark("go")
    treadle("run", "pipelines.py:compare", "-q")
    assert treadle.json("show", run["id"])["run"]["state"] == "completed"


def test_ctrl_c_while_the_file_is_loading_begins_no_run(treadle):
    (treadle.folder / "slow.py").write_text(
        "import time, os\n"
        "from pathlib import Path\n"
        "(Path(os.environ['TEST_MARKS']) / 'importing').touch()\n"
        "time.sleep(60)\n"
    )
    process = treadle.begin("run", "slow.py")
    wait_for_file(treadle.folder / "importing")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert treadle.json("ps") == {"runs": []}


def wait_for_file(path: Path) -> None:
    """Wait with inotify-free patience: the folder is looked at until the file is there."""
    for _ in range(3000):
        if path.exists():
            return
        psutil.Process().cpu_percent(interval=0.01)
    raise AssertionError(f"{path} never came")


def test_a_second_command_joins_the_owner_and_sees_its_run(treadle):
    # Given an owner at work
    owner = treadle.begin("run", "pipelines.py:patient")
    read_until(owner, "waiting")
    (run,) = treadle.json("ps", "--state", "running")["runs"]
    # When another command runs something there
    told = treadle.json("run", "pipelines.py:compare")
    # Then it is done by the owner
    assert told["run"]["state"] == "completed"
    assert treadle("logs", run["id"], "wait_for") == "waiting\n"
    treadle.mark("go")
    assert owner.wait(30) == 0


def test_a_second_command_can_abort_the_run_of_the_first(treadle):
    owner = treadle.begin("run", "pipelines.py:patient")
    read_until(owner, "waiting")
    assert treadle.json("abort", "@last")["run"]["state"] == "aborted"
    assert owner.wait(30) == 130


def test_a_detached_run_is_left_to_the_owner(treadle):
    owner = treadle.begin("run", "pipelines.py:patient")
    read_until(owner, "waiting")
    run = treadle.json("run", "pipelines.py:patient", "-p", "mark=other", "--detach")["run"]
    assert run["state"] in ("running", "queued")
    treadle.mark("go")
    treadle.mark("other")
    assert owner.wait(30) == 0
    assert treadle.json("show", run["id"])["run"]["state"] == "completed"


def test_logs_follow_a_run_of_another_process_to_its_end(treadle):
    owner = treadle.begin("run", "pipelines.py:patient")
    read_until(owner, "waiting")
    follower = treadle.begin("logs", "-f", "@last", "--json")
    line = json.loads(follower.stdout.readline())
    assert line == {"step": "wait_for", "line": "waiting"}
    treadle.mark("go")
    assert follower.wait(30) == 0
    assert owner.wait(30) == 0


def test_ctrl_c_ends_following_logs_and_not_the_run(treadle):
    owner = treadle.begin("run", "pipelines.py:patient")
    read_until(owner, "waiting")
    follower = treadle.begin("logs", "-f", "@last")
    read_until(follower, "waiting")
    follower.send_signal(signal.SIGINT)
    assert follower.wait(10) == 130
    assert b"Traceback" not in follower.stderr.read()
    treadle.mark("go")
    assert owner.wait(30) == 0


def test_a_joined_run_goes_on_when_its_owner_is_killed(treadle):
    owner = treadle.begin("run", "pipelines.py:patient")
    read_until(owner, "waiting")
    joined = treadle.begin("run", "pipelines.py:patient", "-p", "mark=other")
    read_until(joined, "waiting")
    os.kill(owner.pid, signal.SIGKILL)
    treadle.mark("go")
    treadle.mark("other")
    assert joined.wait(60) == 0
    assert {run["state"] for run in treadle.json("ps")["runs"]} == {"completed"}


def test_the_owner_finishes_the_runs_of_others_before_it_ends(treadle):
    # Given an owner whose own run ends while that of another goes on
    owner = treadle.begin("run", "pipelines.py:patient")
    read_until(owner, "waiting")
    joined = treadle.begin("run", "pipelines.py:patient", "-p", "mark=other")
    read_until(joined, "waiting")
    treadle.mark("go")
    assert b"finishing a run of other processes" in owner.stderr.readline()
    # When that one ends too
    treadle.mark("other")
    # Then both are done, and no step had to begin again
    assert (owner.wait(30), joined.wait(30)) == (0, 0)
    (job,) = treadle.json("show", "@last")["jobs"]
    assert job["attempt"] == 1


def test_an_interrupted_owner_leaves_the_runs_of_others_to_them(treadle):
    owner = treadle.begin("run", "pipelines.py:patient")
    read_until(owner, "waiting")
    joined = treadle.begin("run", "pipelines.py:patient", "-p", "mark=other")
    read_until(joined, "waiting")
    treadle.mark("go")
    assert b"finishing a run of other processes" in owner.stderr.readline()
    owner.send_signal(signal.SIGINT)
    assert owner.wait(30) == 0
    treadle.mark("other")
    assert joined.wait(30) == 0
    assert b"takes over" in joined.stdout.read()


def test_a_run_that_waits_for_the_slots_of_recovered_ones_says_so(treadle):
    # Given a run that holds the only slot, and whose owner was killed
    treadle.variables["TREADLE_SLOTS"] = "1"
    killed = treadle.begin("run", "pipelines.py:patient")
    read_until(killed, "waiting")
    killed.kill()
    killed.wait()
    # When another is begun without a terminal
    process = treadle.begin("run", "pipelines.py:compare")
    # Then it says what it waits for, and goes on after it
    read_until(process, "it may wait for a slot: a run is at work")
    treadle.mark("go")
    assert process.wait(60) == 0
