"""`treadle run --sweep` and `treadle ps --group`, in processes of their own."""

import re

import pytest
from terminal import terminal

PIPELINE = """
import time
from pathlib import Path
import os
import treadle
from treadle import pipeline, tool

HERE = Path(os.environ.get("TEST_MARKS", "/nowhere"))

@tool
def train(lr: float, model: str, layers: list[int]):
    treadle.log_metric("accuracy", 0.5 + lr)
    treadle.log_metric("loss", 1 / lr)
    if model == "bad":
        raise ValueError("no such model")

@pipeline
def wine(lr: float = 0.1, model: str = "a", layers: list[int] = []):
    train(lr, model, layers)

@tool
def hold(seed: int):
    (HERE / f"{seed}.waiting").touch()
    print("waiting", flush=True)
    while not (HERE / "go").exists():
        time.sleep(0.01)

@pipeline
def patient(seed: int = 0):
    hold(seed)
"""


@pytest.fixture
def sweep(treadle):
    """`treadle run --sweep` of a pipeline in this file."""
    (treadle.folder / "sweeps.py").write_text(PIPELINE)

    def run(pipeline, *options, code=0):
        return treadle("run", f"sweeps.py:{pipeline}", "--sweep", *options, code=code)

    return run


def test_a_grid_is_one_group_with_a_table_of_parameters_beside_metrics(treadle, sweep):
    # When a grid is run, and the best asked for
    said = sweep("wine", "-p", "lr=0.1,0.2", "-p", "model=a,b", "--best", "loss:min")

    # Then the best stands first, its parameters beside its metrics
    heading, best = re.findall(r"^(?:   run|★).*$", said, re.MULTILINE)
    assert heading.split() == ["run", "lr", "model", "loss", "accuracy", "took"]
    assert best.split()[2:6] == ["0.2", "a", "5", "0.7"]
    assert re.search(r"best: run_\w+  lr=0.2 model=a  lowest loss = 5", said)

    # And the group is found again
    (group,) = treadle.json("ps", "--group")["groups"]
    assert re.fullmatch(r"wine-\d{8}-[0-9a-f]{4}", group["name"])
    assert (group["runs"], group["states"]) == (4, {"completed": 4})
    told = treadle.json("ps", "--group", group["name"], "--best", "accuracy")
    assert told["varying"] == ["lr", "model"]
    assert told["runs"][0]["run"]["id"] == told["best"]
    assert told["runs"][0]["run"]["parameters"]["lr"] == 0.2
    assert told["runs"][0]["metrics"] == {"accuracy": 0.7, "loss": 5.0}
    listed = treadle("ps", "--group", "--best", "loss:min")
    assert "lowest loss" in listed
    assert "lr=0.2 model=a" in listed


def test_runs_can_be_added_to_a_group_and_the_code_is_the_same_for_all(treadle, sweep):
    sweep("wine", "-p", "lr=0.1,0.2", "--group", "rates")
    treadle("run", "sweeps.py:wine", "-p", "lr=0.3", "--group", "rates")
    runs = treadle.json("ps", "--group", "rates")["runs"]
    assert [each["run"]["parameters"]["lr"] for each in runs] == [0.1, 0.2, 0.3]
    assert len({each["run"]["source"]["snapshot"] for each in runs}) == 1


def test_json_lists_hold_values_with_commas_and_lists(treadle, sweep):
    sweep("wine", "-p", 'model=["a,b", "c"]', "-p", "layers=[[1], [2, 3]]", "--group", "g")
    runs = treadle.json("ps", "--group", "g")["runs"]
    found = [(r["run"]["parameters"]["model"], r["run"]["parameters"]["layers"]) for r in runs]
    assert found == [("a,b", [1]), ("a,b", [2, 3]), ("c", [1]), ("c", [2, 3])]


def test_nothing_starts_when_one_combination_is_wrong(treadle, sweep):
    (treadle.folder / "sweeps.py").write_text(PIPELINE)
    done = treadle.all("run", "sweeps.py:wine", "--sweep", "-p", "lr=0.1,x", code=2)
    assert "with lr=x: " in done.stderr
    assert "expected number, got 'x'" in done.stderr
    assert treadle.json("ps")["runs"] == []


def test_a_failed_run_makes_the_exit_code_1_and_a_retry_takes_its_place(treadle, sweep):
    said = sweep("wine", "-p", "model=a,bad", "--group", "g", code=1)
    assert "1 completed, 1 failed" in said
    assert "treadle retry --group g" in said

    told = treadle.json("retry", "--group", "g", code=1)
    assert told["exit_code"] == 1
    assert len(told["runs"]) == 2
    (group,) = treadle.json("ps", "--group")["groups"]
    assert group["states"] == {"completed": 1, "failed": 1}


def test_a_very_large_grid_needs_a_yes(treadle, sweep):
    done = treadle.all("run", "sweeps.py:wine", "--sweep", "-p", "lr=1..1001", code=2)
    assert "This would start 1,001 runs." in done.stderr
    assert "--yes" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ps", "--best", "loss"), "--best compares the runs of a group"),
        (("ps", "--group", "--state", "failed"), "does not go together with --state"),
        (("ps", "--group", "nosuch"), "no group 'nosuch'"),
        (("run", "sweeps.py:wine", "--best", "loss"), "Add --sweep"),
        (("run", "sweeps.py:wine", "--sweep", "--group", "a b"), "cannot be the name of a group"),
        (("retry",), "Which run is not said"),
        (("abort", "run_x", "--group", "g"), "Both a run and a group"),
    ],
)
def test_what_makes_no_sense_is_said(treadle, sweep, arguments, said):
    sweep("wine", "--group", "here", "--quiet")
    assert said in treadle.all(*arguments, code=2).stderr


def test_no_groups_are_said_to_be_none(treadle):
    assert treadle.json("ps", "--group") == {"groups": []}
    assert "No groups yet" in treadle.all("ps", "--group").stderr


def test_ctrl_c_aborts_the_group_and_leaves_the_terminal_in_order(treadle, sweep):
    (treadle.folder / "sweeps.py").write_text(PIPELINE)
    arguments = ("run", "sweeps.py:patient", "--sweep", "-p", "seed=1..6", "--group", "g")
    with terminal(treadle, *arguments) as screen:
        # Given six runs, two of which are under way
        screen.read_until("2 running")
        # When Ctrl-C is pressed
        screen.press(b"\x03")
        # Then all end, and the table says so
        assert screen.end() == 130
        assert "aborting all; Ctrl-C again leaves at once" in screen.text
        assert "g: 6 aborted" in screen.text
        assert "Traceback" not in screen.text
        assert screen.echoes()
    assert treadle.json("ps", "--group")["groups"][0]["states"] == {"aborted": 6}


def test_a_sweep_is_followed_in_a_live_table(treadle, sweep):
    (treadle.folder / "sweeps.py").write_text(PIPELINE)
    arguments = ("run", "sweeps.py:patient", "--sweep", "-p", "seed=1..3", "--group", "g")
    with terminal(treadle, *arguments) as screen:
        screen.read_until("2 running  1 queued")
        treadle.mark("go")
        assert screen.end() == 0
        assert "3/3" in screen.text
        assert "g: 3 completed" in screen.text


def test_a_group_can_be_aborted_from_elsewhere(treadle, sweep):
    (treadle.folder / "sweeps.py").write_text(PIPELINE)
    process = treadle.begin(
        "run", "sweeps.py:patient", "--sweep", "-p", "seed=1..3", "--group", "g"
    )
    while b"3 runs" not in process.stdout.readline():
        pass
    assert "g  3 aborted" in treadle("abort", "--group", "g")
    assert process.wait(60) == 130


def test_a_detached_sweep_is_left_to_the_owner(treadle, sweep):
    (treadle.folder / "sweeps.py").write_text(PIPELINE)
    owner = treadle.begin("run", "sweeps.py:patient")
    while b"waiting" not in owner.stdout.readline():
        pass
    said = treadle("run", "sweeps.py:patient", "--sweep", "-p", "seed=1..2", "--detach")
    assert "2 runs started" in said
    treadle.mark("go")
    assert owner.wait(60) == 0
    assert treadle.json("ps", "--group")["groups"][0]["states"] == {"completed": 2}
