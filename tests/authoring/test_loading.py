"""Loading a pipeline's file, as it is done in a slot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.authoring.loading import load_pipeline
from treadle.errors import InvalidDefinition, InvalidParameters
from treadle.model.records import Code, Pipeline
from treadle.model.wire import from_wire

Write = Callable[..., Path]

PIPELINE = """
from enum import Enum
from treadle import pipeline, tool

class Mode(Enum):
    FAST = "fast"
    FULL = "full"

@tool
def load(name: str, mode: Mode = Mode.FAST) -> list[int]:
    return [1]

@tool(outputs=("a", "b"))
def split(data, extra=None):
    return data, data

@pipeline(concurrency=2, priority=3)
def main(name: str = "wine", share: float = 0.5, mode: Mode = Mode.FAST):
    "Do it."
    a, b = split(load(name, mode))
    return [a, b]
"""


def load(module: str, pipeline: str | None = None, **options: Any) -> dict[str, Any]:
    bundle = {
        "digest": "d" * 64,
        "project_dir": "/project",
        "folder": "",
        "shown_dir": options.get("shown_dir", ""),
    }
    told = load_pipeline(
        module,
        pipeline,
        options.get("parameters", {}),
        options.get("text_parameters", {}),
        bundle,
    )
    answer: dict[str, Any] = json.loads(json.dumps(told))
    return answer


def test_the_pipeline_comes_back_as_json_pinned_to_the_snapshot(
    write: Write, first_on_path: Path
) -> None:
    write("load_a.py", PIPELINE)

    told = load("load_a", parameters={"name": "digits"})

    pipeline = from_wire(Pipeline, told["pipeline"])
    assert [step.name for step in pipeline.steps] == ["load", "split"]
    assert pipeline.tools[0].code == Code(
        kind="snapshot", digest="d" * 64, entry="load_a:load", project_dir="/project"
    )
    assert told["parameters"] == {"name": "digits", "share": 0.5, "mode": "fast"}
    assert (told["concurrency"], told["priority"], told["fail_fast"]) == (2, 3, False)
    assert told["blobs"] == {}


def test_parameters_typed_as_text_are_read_by_the_signature(
    write: Write, first_on_path: Path
) -> None:
    write("load_b.py", PIPELINE)

    told = load("load_b", text_parameters={"share": "0.25", "name": "3", "mode": "full"})

    assert told["parameters"] == {"name": "3", "share": 0.25, "mode": "full"}


def test_places_are_told_as_in_the_project(write: Write, first_on_path: Path) -> None:
    write("load_c.py", PIPELINE)

    told = load("load_c", shown_dir="examples/compare")

    assert told["pipeline"]["steps"][0]["where"] == "examples/compare/load_c.py:19"
    with pytest.raises(InvalidParameters, match=r"^examples/compare/load_c\.py:16: main\(share="):
        load("load_c", shown_dir="examples/compare", text_parameters={"share": "x"})
    with pytest.raises(InvalidParameters, match=r"^examples/compare/load_c\.py:16: main\(mode="):
        load("load_c", shown_dir="examples/compare", parameters={"mode": "slow"})


def test_large_constants_come_along(write: Write, first_on_path: Path) -> None:
    write(
        "load_d.py",
        """
        import numpy as np
        from treadle import pipeline, tool
        @tool
        def use(x): ...
        @pipeline
        def main():
            return use(np.zeros(100_000))
        """,
    )

    told = load("load_d")

    (digest,) = told["blobs"]
    binding = told["pipeline"]["steps"][0]["arguments"]["x"]
    assert binding[0] == "ref"
    assert binding[1]["digest"] == digest


TWO = PIPELINE + PIPELINE[PIPELINE.index("@pipeline") :].replace("main", "other")


@pytest.mark.parametrize(
    ("source", "wanted", "message"),
    [
        ("x = 1", None, "{f} has no pipeline. Put @treadle.pipeline above"),
        (
            PIPELINE[: PIPELINE.index("@pipeline")],
            None,
            "{f} has no pipeline, only tools: load, sp",
        ),
        (PIPELINE, "mian", "{f} has no pipeline 'mian', only main. Did you mean 'main'?"),
        (TWO, None, "{f} has several pipelines: main, other. Say which one to run."),
        ("x = 1\ndef f(:\n", None, "{f}:2: SyntaxError: invalid syntax"),
        (
            "x = 1\nx / 0",
            None,
            "{f}:2: {m} cannot be imported: ZeroDivisionError: division by zero",
        ),
        ("import nowhere_to_be_found", None, "{f}:1: {m} cannot be imported: ModuleNotFoundError"),
        (PIPELINE + "main.run()", None, "{f}:21: main.run() is called while the file is loaded"),
        (
            PIPELINE
            + PIPELINE[PIPELINE.index("@pipeline") :]
            .replace("def main", "def other")
            .replace("(con", "(name='main', con"),
            None,
            "{f}:21: two pipelines are called 'main' (the other at {f}:16)",
        ),
        ("raise SystemExit(3)", None, "{f}:1: {m} cannot be imported: SystemExit: 3"),
        ("from treadle import tool\n@tool(cpu=1)\ndef f(): ...", None, "{f}:2: tool 'f': there is"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(
    write: Write,
    first_on_path: Path,
    request: pytest.FixtureRequest,
    source: str,
    wanted: str | None,
    message: str,
) -> None:
    module = f"wrong_{abs(hash(request.node.name))}"
    write(f"{module}.py", source)

    with pytest.raises(InvalidDefinition) as caught:
        load(module, wanted)

    assert str(caught.value).startswith(message.format(f=f"{module}.py", m=module))


def test_the_named_pipeline_of_several_is_taken(write: Write, first_on_path: Path) -> None:
    write("load_e.py", TWO)

    assert load("load_e", "other")["pipeline"]["name"] == "other"


def test_a_file_called_like_a_module_of_python_is_refused(
    write: Write, first_on_path: Path
) -> None:
    write("json.py", PIPELINE)

    with pytest.raises(InvalidDefinition, match=r"a file cannot be called json\.py"):
        load("json")


def test_pipelines_that_are_imported_count_only_without_own_ones(
    write: Write, first_on_path: Path
) -> None:
    write("parts_f.py", PIPELINE)
    write("load_f.py", "from parts_f import main, load, pipeline\n")
    write("load_g.py", "from parts_f import *\n@pipeline\ndef mine():\n    return load('x')\n")

    assert load("load_f")["pipeline"]["name"] == "main"
    told = load("load_g")
    assert told["pipeline"]["name"] == "mine"
    assert told["pipeline"]["tools"][0]["code"]["entry"] == "parts_f:load"
