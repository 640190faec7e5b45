"""The published JSON Schema says what the reader accepts."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from formats.projects import Folder
from treadle.errors import InvalidDefinition
from treadle.formats.definition import Failure, StepDefinition
from treadle.formats.reading import parse_file, parse_text
from treadle.formats.schema import schema, schema_text
from treadle.model.records import FailureType

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft202012Validator(schema())
STEP = "steps: {a: {script: load.py%s}, b: {script: load.py}}"

ACCEPTED = [
    STEP % "",
    STEP % ", inputs: {x: b, y: [b.z, {k: b}]}, parameters: {a: [1, {b: null}]}",
    STEP % ", outputs: {model: model.pkl}, args: [1, 2.5, true, x], after: b, retry_on: user",
    STEP % ", outputs: [model], after: [b], retry_on: [user, crashed], timeout: null, memory: 1",
    STEP % ", env: {A: '1', B: 2}, environment: null, description: Text.",
    "parameters: {n: 2}\n" + STEP % ", cpus: '${n}', retries: '${n}', gpus: '${n}'",
    "parameters: {a: 1, b: null, c: [1], d: {type: [integer, 'null'], minimum: 0, default: 1},"
    " e: {type: array, items: {type: string, pattern: x}, maxItems: 3, default: []}}\n" + STEP % "",
    "environments: {new: {python: '3.12'}}\nenvironment: new\nx-any: {a: [1]}\n" + STEP % "",
    "name: x\ndescription: y\nconcurrency: 1\nfail_fast: true\npriority: -1\n" + STEP % "",
    (
        "steps: {a: {command: ls -l}, b: {command: [ls, 1]}, c: {function: 'json:dumps', "
        "parameters: {obj: 1}}}"
    ),
]
REFUSED = [
    "steps: {}",
    "steps: [a]",
    "stepz: {}\n" + STEP % "",
    STEP % ", function: 'a:b'",
    "steps: {a: {cpus: 1}}",
    STEP % ", retries: some",
    STEP % ", on_lost: never",
    STEP % ", inputs: {x: 1}",
    STEP % ", environment: {pyton: '3.12'}",
    STEP % ", env: {A: 1.5}",
    STEP % ", outputs: [1]",
    STEP % ", args: [[1]]",
    "steps: {a.b: {script: load.py}}",
    "concurrency: 0\n" + STEP % "",
    "parameters: {a: {typ: integer}}\n" + STEP % "",
    "parameters: {a-b: 1}\n" + STEP % "",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_the_reader_accepts_the_schema_accepts(folder: Folder, text: str) -> None:
    folder.load(text)
    errors = [error.message for error in VALIDATOR.iter_errors(parse_text(text, "f").value)]
    assert errors == []


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_schema_refuses_the_reader_refuses(folder: Folder, text: str) -> None:
    assert not VALIDATOR.is_valid(parse_text(text, "f").value)
    with pytest.raises(InvalidDefinition):
        folder.load(text)


def test_the_schema_is_a_schema_and_describes_every_key() -> None:
    Draft202012Validator.check_schema(schema())
    parts = [schema(), *schema()["$defs"].values()]
    for part in parts[:3]:
        for name, each in part["properties"].items():
            assert each.get("description"), name


def test_the_published_schema_is_the_one_of_the_code() -> None:
    published = ROOT / "docs" / "reference" / "treadle.schema.json"
    assert published.read_text() == schema_text(), "make docs"
    assert json.loads(schema_text()) == schema()


def test_the_kinds_of_failure_are_those_of_the_model() -> None:
    assert set(Failure.__args__) == {each.value for each in FailureType}
    assert "retry_on" in StepDefinition.__struct_fields__


def test_the_examples_fit_the_schema() -> None:
    files = [*ROOT.glob("examples/*/treadle.yaml"), *ROOT.glob("src/treadle/**/treadle.yaml")]
    for file in files:
        errors = [error.message for error in VALIDATOR.iter_errors(parse_file(file).value)]
        assert errors == [], file
