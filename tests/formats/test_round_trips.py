"""Random pipelines, written and read: YAML, JSON, the model and Python say the same."""

import dataclasses
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings

from formats.projects import PREPARE, Folder
from formats.random_documents import pipelines
from treadle.authoring.pipelines import PipelineFunction
from treadle.formats import native
from treadle.formats.exported import exported
from treadle.formats.python_source import python_source
from treadle.formats.writing import rewrite, to_json, to_yaml
from treadle.model.bindings import Arguments, Entries, Stored, Value
from treadle.model.records import Pipeline


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    folder = Folder(tmp_path_factory.mktemp("shared"))
    folder.write("treadle.toml", "")
    for name in ("load.py", "train.py", "report.sh"):
        folder.write(name, "")
    folder.write("prepare.py", PREPARE)
    sys.path.insert(0, str(folder.path))
    yield folder
    sys.path.remove(str(folder.path))
    sys.modules.pop("prepare", None)


def load(folder: Folder, name: str, text: str) -> native.Loaded:
    folder.write(name, text.encode())
    return native.load(folder.place(name))


def less_places(pipeline: Pipeline) -> Pipeline:
    steps = tuple(dataclasses.replace(step, where="") for step in pipeline.steps)
    return dataclasses.replace(pipeline, steps=steps)


@given(pipelines())
def test_yaml_and_json_come_to_the_same(shared: Folder, document: dict[str, Any]) -> None:
    document = {"name": "flow", **document}
    from_yaml = load(shared, "flow.yaml", to_yaml(document))
    from_json = load(shared, "flow.json", to_json(document))
    assert less_places(from_yaml.pipeline) == less_places(from_json.pipeline)
    assert from_yaml.parameters == from_json.parameters
    assert json.dumps(from_yaml.parameters) == json.dumps(document.get("parameters", {}))


@given(pipelines())
def test_a_model_written_and_read_is_the_same_model(
    shared: Folder, document: dict[str, Any]
) -> None:
    # Given what a file comes to
    before = load(shared, "flow.yaml", to_yaml({"name": "flow", **document}))
    # When the model is written as a file, anew or over the old one, and read again
    written = exported(
        before.pipeline, before.parameters, priority=before.priority, fail_fast=before.fail_fast
    )
    for text in (
        to_yaml(written.document),
        rewrite(to_yaml({"name": "flow", **document}), written.document),
    ):
        after = load(shared, "flow.yaml", text)
        # Then the steps and tools are the same, down to their ids
        assert [tool.id for tool in after.pipeline.tools] == [
            tool.id for tool in before.pipeline.tools
        ]
        assert less_places(after.pipeline).steps == less_places(before.pipeline).steps
        assert (after.priority, after.fail_fast) == (before.priority, before.fail_fast)
        assert after.pipeline.concurrency == before.pipeline.concurrency


@settings(max_examples=40)
@given(pipelines())
def test_a_file_written_as_python_has_the_same_steps(
    shared: Folder, document: dict[str, Any]
) -> None:
    # In Python the arguments of a script are templates, whatever was put into them.
    assume("${" not in json.dumps(document.get("parameters", {})))
    document = {"name": "flow", **document}
    loaded = load(shared, "flow.yaml", to_yaml(document))
    source = python_source(document, loaded.pipeline, shared.path)
    traced = trace(shared, source)
    # One list given twice is no plain JSON to Python, but a constant that keeps what it shares.
    assume(not any(isinstance(each, Stored) for s in traced.steps for each in s.arguments.values()))
    assert by_name(traced) == by_name(loaded.pipeline)


def trace(folder: Folder, source: str) -> Pipeline:
    """The pipeline of a Python file, imported here."""
    handle, name = tempfile.mkstemp(suffix=".py", prefix="flow_", dir=folder.path)
    with os.fdopen(handle, "w") as file:
        file.write(source)
    try:
        spec = importlib.util.spec_from_file_location(Path(name).stem, name)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        (found,) = [each for each in vars(module).values() if isinstance(each, PipelineFunction)]
        return found.trace().pipeline
    finally:
        os.unlink(name)


def by_name(pipeline: Pipeline) -> dict[str, Any]:
    """What matters of the steps, by name: Python places them in another order."""
    tools = {tool.id: tool for tool in pipeline.tools}
    found = {}
    for step in pipeline.steps:
        tool = tools[step.tool_id]
        found[step.name] = (
            tool.kind,
            tool.code.entry,
            _flat(step.arguments),
            set(step.after),
            tool.outputs,
            step.execution or tool.execution,
            tool.variables,
        )
    return found


def _flat(arguments: Arguments) -> Arguments:
    """What goes into **values by its own name, as a file has it."""
    found = dict(arguments)
    match found.pop("values", None):
        case Value(value):
            return found | {name: Value(each) for name, each in value.items()}
        case Entries(entries):
            return found | dict(entries)
    return found
