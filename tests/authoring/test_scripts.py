"""Scripts and commands as steps of pipelines written in Python."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle import pipeline
from treadle.authoring import script
from treadle.authoring.tracing import Traced
from treadle.errors import InvalidDefinition
from treadle.model.bindings import Entries, Output, Value

Write = Callable[..., Path]

PIPELINE = """
import treadle
from treadle import pipeline, tool

load = treadle.script("steps/load.py", outputs=["table"], cpus=2, memory="1GB")
count = treadle.command("wc", "-l", "${inputs.data}", name="count", outputs={"lines": "lines.txt"})
report = treadle.script("report.sh", args=["--fast"], env={"MODE": "x", "API_KEY": "hunter2"})

@tool(env={"OMP_NUM_THREADS": "1"}, environment={"requirements": ["six==1.17.0"]})
def train(data, depth=3):
    return data

@pipeline(env={"EVERYWHERE": "1", "MODE": "outer"})
def main(name: str = "wine"):
    table = load(name=name)
    report.after(count(data=table))(model=train(table), title="T")
"""


def traced(write: Write, folder: str = "") -> Traced:
    write(f"{folder}steps/load.py", "print(1)")
    write(f"{folder}report.sh", "echo hi")
    write(f"{folder}pipeline_of_scripts.py", PIPELINE)
    module: Any = importlib.import_module("pipeline_of_scripts")
    return module.main.trace()  # type: ignore[no-any-return]


def test_scripts_become_steps_whose_results_are_inputs_and_values_parameters(
    write: Write, first_on_path: Path
) -> None:
    found = traced(write)
    steps = {step.name: step for step in found.pipeline.steps}
    assert list(steps) == ["load", "count", "train", "report"]
    assert steps["load"].arguments == {
        "inputs": Value({}),
        "parameters": Value({"name": "wine"}),
        "args": Value([]),
    }
    assert steps["count"].arguments["inputs"] == Entries({"data": Output("load", "table")})
    assert steps["count"].arguments["output_files"] == Value({"lines": "lines.txt"})
    assert steps["report"].arguments["parameters"] == Value({"title": "T"})
    assert steps["report"].after == ("count",)
    tools = {tool.name: tool for tool in found.pipeline.tools}
    assert {tool.kind for name, tool in tools.items() if name != "train"} == {"script"}
    assert tools["load"].code.entry == "steps/load.py"
    assert (tools["load"].execution.cpus, tools["load"].execution.memory_bytes) == (2.0, 10**9)
    assert tools["count"].code.entry == ""
    assert tools["report"].outputs == ()  # nobody takes any


def test_variables_of_pipeline_and_tool_add_up_and_secrets_stand_apart(
    write: Write, first_on_path: Path
) -> None:
    found = traced(write)
    tools = {tool.name: tool for tool in found.pipeline.tools}
    assert tools["train"].variables == {
        "EVERYWHERE": "1", "MODE": "outer", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    assert tools["report"].variables == {"EVERYWHERE": "1", "MODE": "x"}
    assert tools["report"].secrets == {"API_KEY": "report/API_KEY"}
    assert found.submission().secrets == {"report/API_KEY": "hunter2"}
    assert "hunter2" not in repr(found.submission())
    assert tools["train"].environment.requirements == ("six==1.17.0",)
    assert tools["load"].environment.key == ""


def test_another_text_of_a_script_is_another_version(write: Write, first_on_path: Path) -> None:
    before = {tool.name: tool for tool in traced(write).pipeline.tools}
    write("report.sh", "echo something else")
    module: Any = importlib.import_module("pipeline_of_scripts")
    after = {tool.name: tool for tool in module.main.trace().pipeline.tools}
    assert after["report"].version != before["report"].version
    assert after["load"].version == before["load"].version


def test_a_script_that_is_not_there_or_leads_out_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidDefinition, match=r"test_scripts.py:\d+: .*is not beside"):
        script("nowhere.py")
    with pytest.raises(InvalidDefinition, match="below the folder"):
        script("../conftest.py")


def test_the_file_of_an_output_must_lie_in_the_step_s_own_folder() -> None:
    with pytest.raises(InvalidDefinition, match=r"'\.\./model\.pkl' is no name for an output"):
        script("test_scripts.py", outputs={"model": "../model.pkl"})


def test_a_script_called_outside_a_pipeline_says_what_to_do() -> None:
    step = script("test_scripts.py")
    with pytest.raises(InvalidDefinition, match=r"outside a pipeline.*@treadle.pipeline"):
        step(name="x")


def test_parameters_of_a_script_are_json() -> None:
    step = script("test_scripts.py")

    @pipeline
    def main() -> None:
        step(when={1, 2})

    with pytest.raises(InvalidDefinition, match=r"'when' of step 'test_scripts' is no JSON data"):
        main.trace()


def test_variables_that_are_no_text_are_refused() -> None:
    wrong: Any = {"THREADS": 1}
    with pytest.raises(InvalidDefinition, match="expected texts by name"):
        script("test_scripts.py", env=wrong)
