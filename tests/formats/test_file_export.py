"""Pipelines from one form into another, and what has no counterpart."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from formats.projects import Folder
from treadle import command, pipeline, tool
from treadle.errors import InvalidDefinition, InvalidRequest
from treadle.formats import conversion, native
from treadle.formats.exported import exported
from treadle.formats.writing import to_yaml
from treadle.model.bindings import Output, Value
from treadle.model.records import Pipeline

FLOW = """
# Judged twice.
name: wine-quality
description: Judge wine.
parameters: {dataset: wine, size: {type: number, minimum: 0, default: 0.25}, rounds: 3}
env: {OMP_NUM_THREADS: "1", API_KEY: "${env.API_KEY}"}
environments: {plain: {requirements: [six]}}
steps:
  report: {script: report.sh, inputs: {model: train.model}, after: [load]}
  load: {script: load.py, parameters: {name: "${dataset}"}, outputs: [table]}
  split: {function: "prepare:split", inputs: {data: load.table}, parameters: {size: "${size}"}, retries: 3}
  count: {function: "prepare:plain", inputs: {a: [load, split.test]}, environment: plain}
  train: {script: train.py, inputs: {data: split.train}, args: [--rounds, "${rounds}", "--name=${dataset}", "${outputs.model}"], memory: 1GB}
  words: {command: "wc -l ${inputs.table}", inputs: {table: load}, outputs: {count: count.txt}}
"""  # noqa: E501


def test_a_pipeline_file_becomes_python_that_can_be_read(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    file = folder.write("flow.yaml", FLOW)
    assert conversion.of_file(file, "python") == dedent(
        '''\
        """wine-quality, as Python."""

        import os
        from typing import Annotated

        import msgspec
        import treadle

        import prepare


        @treadle.pipeline(
            name="wine-quality",
            env={"OMP_NUM_THREADS": "1", "API_KEY": os.environ["API_KEY"]},
        )
        def wine_quality(
            dataset: str = "wine",
            size: Annotated[float, msgspec.Meta(ge=0)] = 0.25,
            rounds: int = 3,
        ):
            """Judge wine."""
            load = treadle.script("load.py", outputs=["table"])(name=dataset)
            split = prepare.split.options(retries=3)(data=load, size=size)
            treadle.command(
                "wc",
                "-l",
                "${inputs.table}",
                outputs={"count": "count.txt"},
            ).named("words")(table=load)
            treadle.tool(
                environment={"requirements": ["six"]},
            )(prepare.plain).named("count")(a=[load, split.test])
            train = treadle.script(
                "train.py",
                args=["--rounds", str(rounds), "--name=" + dataset, "${outputs.model}"],
                outputs=["model"],
                memory="1GB",
            )(data=split.train)
            treadle.script("report.sh").after(load)(model=train)
        '''
    )


def test_a_file_in_its_own_form_is_left_as_it_is(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    file = folder.write("flow.yaml", FLOW)
    assert conversion.of_file(file, "yaml") == file.read_text()
    as_json = folder.write("flow.json", conversion.of_file(file, "json"))
    assert conversion.of_file(as_json, "json") == as_json.read_text()
    first, second = (native.load(folder.place(name)) for name in ("flow.yaml", "flow.json"))
    assert first.pipeline.tools == second.pipeline.tools


def test_a_file_with_mistakes_is_not_converted(folder: Folder) -> None:
    file = folder.write("flow.yaml", "steps: {a: {script: no.py}}")
    with pytest.raises(InvalidDefinition, match=r"flow.yaml:1:21: there is no script 'no.py'"):
        conversion.of_file(file, "json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("env_file: a.env\nsteps: {a: {script: load.py}}",
         ("this cannot be written as Python: `env_file` of the pipeline has no counterpart. "
         "Use `env`.")),
        ("parameters: {n: 1}\npriority: '${n}'\nsteps: {a: {script: load.py}}",
         "this cannot be written as Python: `priority` depends on a parameter."),
        ("parameters: {if: 1}\nsteps: {a: {script: load.py}}",
         "this cannot be written as Python: a parameter cannot be called 'if' in Python."),
        ("parameters: {x: {enum: [0.5], default: 0.5}}\nsteps: {a: {script: load.py}}",
         "this cannot be written as Python: an enum of numbers with a point has no type."),
        ("steps: {a: {function: 'prepare:count', parameters: {rows: 1}, env: {A: x}}}",
         ("this cannot be written as Python: prepare.count is a @tool whose options are no "
         "literals. Say there what this file says of it.")),
    ],
)  # fmt: skip
def test_what_python_cannot_say_is_named(folder: Folder, text: str, message: str) -> None:
    folder.write("a.env", "A=1\n")
    file = folder.write("flow.yaml", text)
    with pytest.raises(InvalidDefinition) as caught:
        conversion.of_file(file, "python")
    assert caught.value.sentence == message


MODULE = """
from treadle import command, pipeline, script, tool

@tool(retries=2)
def double(x, pair=None):
    "Twice."
    return x * 2

@pipeline(concurrency=2, priority=3, fail_fast=True)
def flow(size: float = 0.25):
    "All of it."
    data = script("load.py", outputs=["table", "log"], env={"A": "${x}", "DB_PASSWORD": "p"})(
        size=size)
    one = double.named("one").options(cpus=2, timeout="2m")(data.table)
    text = double.named("text")("a ${b}")
    return command("wc", "${inputs.all}", "${HOME}", outputs={"n": "n.txt"}).after(text)(
        all=[one, data.log])
"""


@pytest.fixture
def traced(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    folder.write("flow_in_python.py", MODULE)
    monkeypatch.syspath_prepend(str(folder.path))
    import flow_in_python

    yield flow_in_python.flow.trace()
    del sys.modules["flow_in_python"]


def test_a_pipeline_of_python_becomes_a_file(folder: Folder, traced) -> None:
    made = exported(
        traced.pipeline, traced.parameters, priority=traced.priority, fail_fast=traced.fail_fast
    )
    assert to_yaml(made.document) == dedent(
        """\
        name: flow
        description: All of it.
        concurrency: 2
        fail_fast: true
        priority: 3
        steps:
          load:
            script: load.py
            parameters: {size: 0.25}
            outputs: [table, log]
            env: {A: '$${x}', DB_PASSWORD: '${env.DB_PASSWORD}'}
          one:
            function: flow_in_python:double
            inputs: {x: load.table}
            cpus: 2
            timeout: 2m
            retries: 2
          text:
            function: flow_in_python:double
            parameters: {x: 'a $${b}'}
            retries: 2
          wc:
            command: [wc, '${inputs.all}', '$${HOME}']
            inputs:
              all: [one, load.log]
            outputs: {n: n.txt}
            after: [text]
        """
    )
    assert made.notes == (
        "The parameters are written in: size=0.25.",
        "What the pipeline returns is not written: a file has results of steps only.",
    )


def test_the_file_of_a_pipeline_of_python_has_its_steps(
    folder: Folder, traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "p")
    document = exported(traced.pipeline, traced.parameters).document
    loaded = folder.load(to_yaml(document))
    arguments = {step.name: step.arguments for step in loaded.pipeline.steps}
    before = {step.name: step.arguments for step in traced.pipeline.steps}
    # ${HOME} is no template of a step: escaped, it comes to the same.
    assert arguments.pop("wc")["args"] == Value(["wc", "${inputs.all}", "$${HOME}"])
    assert before.pop("wc")["args"] == Value(["wc", "${inputs.all}", "${HOME}"])
    assert arguments == before
    assert arguments["one"]["x"] == Output("load", "table")


def local_pipelines() -> list[tuple[object, str]]:
    @tool
    def local(x, y=None):
        return x

    @pipeline
    def by_value():
        local(1)

    @pipeline
    def conda():
        command("ls", environment={"conda": str(HERE / "environment.yml")})()

    return [(by_value, "is sent by value"), (conda, "its conda environment is the content")]


HERE = Path(__file__).parent


def test_a_function_sent_by_value_cannot_be_written() -> None:
    (by_value, message), _ = local_pipelines()
    with pytest.raises(InvalidDefinition, match=message):
        exported(by_value.trace().pipeline)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("double((1, 2))", "'x' is a tuple, and a file has lists only. Pass a list."),
        ("double((load(), 2))", "'x' is a tuple, and a file has lists only. Pass a list."),
        ("double([load(), 2])",
         "'x' has results of steps and plain values in one. Pass them as two arguments."),
        ("double({1, 2})", "'x' is no JSON. Make it in a step, or give a file's name."),
        ("double.named('a.b')(1)", "its name has characters that a file does not allow."),
    ],
)  # fmt: skip
def test_what_a_file_cannot_say_is_named(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, call: str, message: str
) -> None:
    folder.write(
        "cannot_be_written.py",
        f"""
        from treadle import pipeline, script, tool

        @tool
        def double(x):
            return x

        @pipeline
        def flow():
            load = script("load.py")
            {call}
        """,
    )
    monkeypatch.syspath_prepend(str(folder.path))
    import cannot_be_written

    try:
        with pytest.raises(InvalidDefinition) as caught:
            exported(cannot_be_written.flow.trace().pipeline)
    finally:
        del sys.modules["cannot_be_written"]
    assert "cannot be written into a file: " in caught.value.message
    assert caught.value.sentence.endswith(message)
    assert caught.value.where.startswith("cannot_be_written.py:")


def test_python_is_not_made_of_python() -> None:
    with pytest.raises(InvalidRequest, match="It is Python already"):
        conversion.of_document({}, "python")
