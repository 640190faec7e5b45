"""Pictures from the command line: of a pipeline that has not run, and of a run."""

import json
from xml.etree import ElementTree

import pytest
from terminal import terminal


@pytest.fixture
def compared(treadle) -> str:
    """The id of a failed run."""
    return str(treadle.json("run", "pipelines.py:failing", code=1)["run"]["id"])


def test_a_pipeline_is_drawn_in_characters_and_nothing_of_it_runs(treadle):
    drawn = treadle("graph", "pipelines.py:compare").splitlines()
    assert [line.split("  ")[0] for line in drawn][:2] == ["○", "├─○─╮ train"]
    assert [line.split()[1] for line in drawn] == ["load", "train", "train-2", "train-3", "best"]
    assert treadle.json("ps") == {"runs": []}


def test_parameters_decide_what_is_drawn(treadle):
    told = treadle.json("graph", "pipelines.py:wide", "-p", "steps=30")
    assert len(told["steps"]) == 30
    assert told["steps"][0] == {
        "name": "number", "tool": "number", "kind": "function", "parents": [],
    }  # fmt: skip


def test_other_forms_go_to_standard_output_or_to_a_file_whose_ending_names_them(treadle):
    mermaid = treadle("graph", "pipelines.py:compare", "--mermaid")
    assert mermaid.startswith("flowchart LR\n")
    assert treadle("graph", "pipelines.py:compare", "--dot").startswith('digraph "compare" {')
    for ending in ("svg", "dot", "mmd", "md", "txt"):
        treadle("graph", "pipelines.py:compare", "-o", f"x.{ending}")
    ElementTree.parse(treadle.folder / "x.svg")
    assert (treadle.folder / "x.mmd").read_text() == mermaid
    assert (treadle.folder / "x.md").read_text() == f"```mermaid\n{mermaid}```\n"
    assert "├─○─╮ train" in (treadle.folder / "x.txt").read_text()


def test_a_run_is_drawn_by_state(treadle, compared):
    drawn = treadle("show", compared, "--graph").splitlines()
    assert [line.split()[:3] for line in drawn] == [
        ["✗", "fail", "failed"],
        ["-", "after", "skipped"],
    ]
    treadle("show", "@last", "-o", "run.svg")
    text = (treadle.folder / "run.svg").read_text()
    assert "ValueError: no such thing" in text
    assert compared in text


def test_a_form_that_cannot_be_meant_is_a_mistake(treadle):
    said = treadle.all("graph", "pipelines.py:compare", "-o", "x.pdf", code=2).stderr
    assert "says no form" in said
    assert ".svg" in said
    assert "one form" in treadle.all("graph", ".", "--svg", "--dot", code=2).stderr
    said = treadle.all("graph", "pipelines.py:compare", "-o", "no/x.svg", code=3).stderr
    assert "cannot be written" in said


def test_a_pipeline_file_is_drawn_without_a_data_directory(treadle):
    (treadle.folder / "load.py").write_text("")
    (treadle.folder / "treadle.yaml").write_text(
        "name: wine\n"
        "steps:\n"
        "  report: {command: [cat, '${inputs.table}'], inputs: {table: load.table}}\n"
        "  load: {script: load.py, outputs: [table], cpus: 2}\n"
    )
    drawn = treadle("graph").splitlines()
    assert [line.split()[1] for line in drawn] == ["load", "report"]
    assert "script · load.py" in drawn[0]
    assert not (treadle.folder / "data").exists()
    assert "2 cpus" in treadle("graph", "--svg")


def test_colours_are_for_terminals(treadle, compared):
    assert "\x1b" not in treadle("show", compared, "--graph")
    with terminal(treadle, "show", compared, "--graph", columns=30) as screen:
        assert screen.end() == 0
        assert "\x1b[1;31m" in screen.raw
        assert max(map(len, screen.text.split("\r\n"))) <= 30


def test_a_terminal_without_unicode_gets_ascii(treadle):
    treadle.variables |= {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    assert treadle("graph", "pipelines.py:compare").splitlines()[1].startswith("+-o-+ train")


def test_the_live_view_shows_the_lines_between_steps(treadle):
    with terminal(treadle, "run", "pipelines.py:compare") as screen:
        assert screen.end() == 0
        last = screen.text[screen.text.rindex("compare  completed") :]
        assert " ├─✓─╮ train" in last
        assert " ✓───╯ best" in last
    assert json.loads(treadle("ps", "--json"))["runs"][0]["state"] == "completed"
