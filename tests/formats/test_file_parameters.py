"""Parameters of a pipeline file: declared, given, typed, and put into values."""

import pytest

from formats.projects import Folder
from treadle.errors import InvalidParameters
from treadle.model.bindings import Value

TYPES = """
parameters:
  name: wine
  size: 0.25
  count: 3
  flag: true
  items: [1, 2]
  anything: null
  lr: {type: number, exclusiveMinimum: 0, default: 0.1, description: Learning rate.}
  kind: {enum: [linear, tree], default: tree}
  needed: {type: integer, minimum: 1, maximum: 9}
  words: {type: array, items: {type: string, pattern: "^[a-z]+$"}, maxItems: 2, default: []}
  maybe: {type: [string, "null"], default: null}
  table: {type: object, default: {a: 1}}
steps:
  a:
    script: load.py
    parameters:
      name: "${name}"
      size: "${size}"
      count: "${count}"
      flag: "${flag}"
      items: "${items}"
      anything: "${anything}"
      table: "${table}"
      deep: {list: ["${count}", "x${count}"]}
      text: "${name}-${size}-${flag}-${items}-${anything}"
      literal: "$${name} costs $5 ${lr}"
"""


def parameters_of(folder: Folder, texts: dict[str, str] | None = None, **given: object) -> dict:
    loaded = folder.load(TYPES, texts, **{"needed": 5, **given})
    bound = loaded.pipeline.steps[0].arguments["parameters"]
    assert isinstance(bound, Value)
    return bound.value


def test_a_template_alone_keeps_its_type_and_inside_text_it_is_text(folder: Folder) -> None:
    assert parameters_of(folder) == {
        "name": "wine",
        "size": 0.25,
        "count": 3,
        "flag": True,
        "items": [1, 2],
        "anything": None,
        "table": {"a": 1},
        "deep": {"list": [3, "x3"]},
        "text": "wine-0.25-true-[1, 2]-null",
        "literal": "${name} costs $5 0.1",
    }


def test_text_of_a_command_line_is_read_by_the_type(folder: Folder) -> None:
    found = parameters_of(
        folder,
        {"name": "1", "size": "1", "count": "4", "flag": "false", "items": "[]", "anything": "2"},
    )
    assert [found[key] for key in ("name", "size", "count", "flag", "items", "anything")] == [
        "1",
        1,
        4,
        False,
        [],
        2,
    ]


def test_what_is_given_and_what_is_typed_are_recorded(folder: Folder) -> None:
    loaded = folder.load(TYPES, {"needed": "3"}, lr=0.5, kind="linear", maybe="x", words=["a"])
    assert loaded.parameters == {
        "name": "wine",
        "size": 0.25,
        "count": 3,
        "flag": True,
        "items": [1, 2],
        "anything": None,
        "lr": 0.5,
        "kind": "linear",
        "needed": 3,
        "words": ["a"],
        "maybe": "x",
        "table": {"a": 1},
    }
    assert loaded.pipeline.parameters_schema["required"] == ["needed"]
    assert loaded.pipeline.parameters_schema["properties"]["count"] == {
        "type": "integer",
        "default": 3,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nam": "x"}, "flow(nam=...): there is no such parameter. Did you mean 'name'?"),
        ({"count": "x"}, "flow(count=...): expected an integer, got text."),
        ({"count": 1.5}, "flow(count=...): expected an integer, got a number."),
        ({"count": True}, "flow(count=...): expected an integer, got true or false."),
        ({"size": True}, "flow(size=...): expected a number, got true or false."),
        ({"flag": 1}, "flow(flag=...): expected true or false, got an integer."),
        ({"name": 1}, "flow(name=...): expected text, got an integer."),
        ({"lr": 0}, "flow(lr=...): expected a number > 0.0, got 0."),
        (
            {"kind": "tre"},
            (
                'flow(kind=...): expected one of "linear", "tree", got text \'tre\'. '
                "Did you mean 'tree'?"
            ),
        ),
        ({"needed": 10}, "flow(needed=...): expected an integer <= 9, got 10."),
        (
            {"words": ["a", "b", "c"]},
            "flow(words=...): expected a list of length <= 2, got a list.",
        ),
        (
            {"words": ["A"]},
            ("flow(words=...): expected text matching regex '^[a-z]+$', got a list at [0]."),
        ),
        ({"table": []}, "flow(table=...): expected a mapping, got a list."),
    ],
)
def test_a_value_that_does_not_fit_is_refused(folder: Folder, given: dict, message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        parameters_of(folder, **given)
    assert caught.value.sentence == f"flow.yaml:1:1: {message}"


def test_a_parameter_without_a_value_is_asked_for(folder: Folder) -> None:
    with pytest.raises(InvalidParameters) as caught:
        folder.load(TYPES)
    assert caught.value.sentence == (
        "flow.yaml:1:1: flow: parameter 'needed' has no value. Give it: -p needed=..."
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"cuont": "1"}, "flow(cuont=...): there is no such parameter. Did you mean 'count'?"),
        (
            {"count": "many"},
            (
                "flow(count=...): expected integer, got 'many'. "
                "Write it as JSON, for instance -p count=3"
            ),
        ),
    ],
)
def test_text_that_cannot_be_meant_is_refused(folder: Folder, texts: dict, message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        parameters_of(folder, texts)
    assert caught.value.sentence == f"flow.yaml:1:1: {message}"


def test_a_mistake_in_the_file_goes_before_one_in_the_parameters(folder: Folder) -> None:
    refusal = folder.refusal(TYPES + "  b: {script: no.py}\n", nonsense=1)
    assert "there is no script 'no.py'" in refusal


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            "{a: 1}",
            (
                "flow.yaml:1:18: parameter 'x' has no keyword 'a'. "
                "For a default that is a mapping write {default: {...}}."
            ),
        ),
        (
            "{type: integer, minimun: 1}",
            "flow.yaml:1:33: parameter 'x' has no keyword 'minimun'. Did you mean 'minimum'?",
        ),
        (
            "{type: text}",
            (
                "flow.yaml:1:24: there is no type 'text'. "
                "Types: string, integer, number, boolean, array, object, null."
            ),
        ),
        (
            "{type: string, minimum: 1}",
            "flow.yaml:1:32: 'minimum' goes with type number or integer.",
        ),
        ("{minLength: 1}", "flow.yaml:1:18: 'minLength' goes with type string."),
        ("{enum: []}", "flow.yaml:1:24: enum: expected a list of values."),
        (
            "{type: array, items: integer}",
            "flow.yaml:1:38: items: expected a mapping such as {type: number}.",
        ),
        (
            "{type: array, items: {type: intger}}",
            "flow.yaml:1:45: there is no type 'intger'. Did you mean 'integer'?",
        ),
        (
            "{type: integer, default: 1.5}",
            "flow.yaml:1:42: the default of 'x': expected an integer, got a number.",
        ),
        (
            "{type: integer, minimum: low}",
            (
                "flow.yaml:1:17: the schema of 'x' makes no sense: "
                "`ge` must be an int or float, got str."
            ),
        ),
        (
            "{type: string, pattern: '('}",
            (
                "flow.yaml:1:17: the schema of 'x' makes no sense: "
                "missing ), unterminated subpattern at position 0."
            ),
        ),
    ],
)
def test_a_schema_that_is_not_understood_is_refused(
    folder: Folder, declared: str, message: str
) -> None:
    text = f"parameters: {{x: {declared}}}\nsteps: {{a: {{command: [ls]}}}}"
    assert folder.refusal(text).splitlines()[0] == message


def test_a_parameter_has_a_name_that_templates_can_hold(folder: Folder) -> None:
    assert folder.refusal("parameters: {a-b: 1}\nsteps: {a: {command: [ls]}}") == (
        "flow.yaml:1:14: a parameter cannot be called 'a-b'. "
        "Use letters, digits and _, no digit first."
    )


def test_a_parameter_that_looks_secret_is_told(folder: Folder) -> None:
    loaded = folder.load("parameters: {api_key: x}\nsteps: {a: {command: [ls]}}")
    assert loaded.warnings == (
        (
            "flow.yaml:1:14: parameter 'api_key' looks secret, and parameters are stored and "
            "shown. Take it from the environment: env: {NAME: '${env.NAME}'}."
        ),
    )


def test_templates_work_wherever_a_step_has_a_value(folder: Folder) -> None:
    loaded = folder.load(
        """
        parameters: {file: load.py, n: 2, when: 10m, out: table, source: b, flag: true, fast: true}
        fail_fast: "${fast}"
        steps:
          a: {script: "${file}", cpus: "${n}", timeout: "${when}", retries: "${n}",
              args: ["--${out}=${n}", "${flag}"], inputs: {x: "${source}.${out}"}, after: ["${source}"]}
          b: {script: "${file}", outputs: ["${out}"]}
        """  # noqa: E501
    )
    tool = loaded.pipeline.tools[0]
    assert (tool.code.entry, tool.execution.cpus, tool.execution.timeout_seconds) == (
        "load.py",
        2.0,
        600.0,
    )
    assert loaded.pipeline.steps[0].arguments["args"] == Value(["--table=2", "true"])
    assert loaded.fail_fast


def test_a_value_that_looks_like_a_template_is_no_template(folder: Folder) -> None:
    # A value is put in once, and is not looked at again: neither here nor in the step
    loaded = folder.load(
        """
        parameters: {x: "${inputs.data}", y: "${x}"}
        steps: {a: {script: load.py, args: ["${x}", "see ${x}", "${y}"], parameters: {v: "${x}"}}}
        """
    )
    arguments = loaded.pipeline.steps[0].arguments
    assert arguments["args"] == Value(["$${inputs.data}", "see $${inputs.data}", "$${x}"])
    assert arguments["parameters"] == Value({"v": "${inputs.data}"})
