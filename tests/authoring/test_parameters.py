"""JSON Schema of a signature, and parameters typed as text."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Optional

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle import tool
from treadle.authoring.parameters import from_text
from treadle.authoring.signatures import DIALECT
from treadle.errors import InvalidParameters


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Limits:
    low: int
    high: float = 1.0


@tool
def everything(
    data: pd.DataFrame,
    count: int,
    share: float = 0.25,
    name: str = "wine",
    exact: bool = False,
    kind: Literal["a", "b"] = "a",
    colour: Colour = Colour.RED,
    seed: Optional[int] = None,  # noqa: UP045
    label: str | None = None,
    file: Path = Path("a.csv"),
    limits: Limits = Limits(1),  # noqa: B008
    sizes: list[int] = [],  # noqa: B006
    either: int | str = 1,
    free=None,  # type: ignore[no-untyped-def]
    text="x",
    table: dict[str, pd.DataFrame] | None = None,
) -> None: ...


def test_the_schema_says_types_defaults_and_what_is_required() -> None:
    schema = everything.parameters.schema

    assert schema["$schema"] == DIALECT
    assert schema["required"] == ["data", "count"]
    assert schema["additionalProperties"] is False
    properties = dict(schema["properties"])
    assert properties.pop("data")["title"] == "DataFrame"
    assert properties.pop("table")["anyOf"][0]["type"] == "object"
    assert properties == {
        "count": {"type": "integer"},
        "share": {"type": "number", "default": 0.25},
        "name": {"type": "string", "default": "wine"},
        "exact": {"type": "boolean", "default": False},
        "kind": {"enum": ["a", "b"], "default": "a"},
        "colour": {"$ref": "#/$defs/Colour", "default": "red"},
        "seed": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "label": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "file": {"type": "string", "format": "path", "default": "a.csv"},
        "limits": {"$ref": "#/$defs/Limits", "default": {"low": 1, "high": 1.0}},
        "sizes": {"type": "array", "items": {"type": "integer"}, "default": []},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 1},
        "free": {"default": None},
        "text": {"default": "x"},
    }
    assert schema["$defs"]["Colour"]["enum"] == ["blue", "red"]
    assert schema["$defs"]["Limits"]["required"] == ["low"]
    json.dumps(schema)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "3", 3),
        ("share", "0.25", 0.25),
        ("share", "1", 1),
        ("name", "3", "3"),
        ("name", "null", "null"),
        ("name", "", ""),
        ("exact", "true", True),
        ("kind", "b", "b"),
        ("colour", "blue", "blue"),
        ("seed", "null", None),
        ("seed", "7", 7),
        ("label", "null", "null"),
        ("file", "/tmp/x", "/tmp/x"),
        ("limits", '{"low": 2}', {"low": 2}),
        ("sizes", "[1, 2]", [1, 2]),
        ("either", "5", 5),
        ("either", "five", "five"),
        ("either", "true", "true"),
        ("free", "[1]", [1]),
        ("free", "words", "words"),
        ("text", "3", "3"),
    ],
)
def test_text_is_read_by_the_type_that_is_wanted(name: str, text: str, value: Any) -> None:
    found = from_text(everything, {name: text})

    assert found == {name: value}
    assert type(found[name]) is type(value)
    assert from_text(everything.parameters.schema, {name: text}) == found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": "three"}, "expected integer, got 'three'"),
        ({"count": "1.5"}, "expected integer, got '1.5'"),
        ({"exact": "yes"}, "expected boolean, got 'yes'"),
        ({"seed": "x"}, "expected integer or null, got 'x'"),
        ({"sizes": "1"}, "expected array, got '1'"),
        ({"cuont": "1"}, "there is no such parameter. Did you mean 'count'?"),
        ({"zzz": "1"}, "there is no such parameter. It takes: data, count, share"),
    ],
)
def test_text_that_cannot_be_meant_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        from_text(everything, given, where="p.py:3")

    assert message in str(caught.value)
    assert caught.value.where == "p.py:3"


@given(st.text())
def test_text_for_text_stays_as_it_is(text: str) -> None:
    assert from_text(everything, {"name": text}) == {"name": text}


@given(st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_as_they_were_written(number: float) -> None:
    assert from_text(everything, {"share": repr(number)}) == {"share": number}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", "3", "expected int, got str"),
        ("count", True, "expected int, got bool"),
        ("count", 1.0, "expected int, got float"),
        ("share", "x", "expected float, got str"),
        ("exact", 1, "expected bool, got int"),
        ("kind", "c", "invalid value 'c'. Choose 'a' or 'b'."),
        ("colour", "green", "invalid value 'green'. Choose 'blue' or 'red'."),
        ("seed", "x", "expected int | None, got str"),
        ("limits", {"low": "x"}, "expected int, got str at .low"),
        ("limits", {}, "object missing required field low"),
        ("sizes", [1, "x"], "expected int, got str at [1]"),
        ("file", 3, "expected Path, got int"),
        ("data", [1], "expected DataFrame, got list"),
    ],
)
def test_values_are_checked_strictly(name: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        everything.parameters.check(name, value, where="p.py:14")

    assert str(caught.value) == f"p.py:14: everything({name}=...): {message}"


def test_annotations_that_cannot_be_resolved_are_left_open() -> None:
    @tool
    def strange(x: Missing, y: pd.Nothing, z: "1 +", n: int) -> None: ...  # noqa: F821, F722

    properties = strange.parameters.schema["properties"]

    assert properties["x"] == {"title": "Missing", "x-python-type": "Missing"}
    assert properties["y"]["x-python-type"] == "pd.Nothing"
    assert properties["n"] == {"type": "integer"}
    assert strange.parameters.check("x", object(), where="") is not None


def test_local_classes_in_text_annotations_are_found() -> None:
    class Local(enum.Enum):
        A = 1

    def use(x: Local, f: Callable[[int], int] | None = None) -> type[Local]:
        return Local

    made = tool(use)

    assert made.parameters.schema["$defs"]["Local"]["enum"] == [1]
