"""Bindings: a tree of values, results and stored bytes, and its JSON form."""

import json

import pytest
from hypothesis import given
from random_records import bindings as any_binding

from treadle.errors import InvalidDefinition
from treadle.model import bindings
from treadle.model.bindings import Binding, Entries, Items, Output, Value


@given(any_binding)
def test_a_binding_comes_back_from_json_as_it_was(binding: Binding) -> None:
    wire = json.loads(json.dumps(bindings.to_wire(binding)))

    assert bindings.from_wire(wire) == binding


@given(any_binding)
def test_replacing_outputs_leaves_none_and_all_else_as_it_was(binding: Binding) -> None:
    before = list(bindings.leaves(binding))

    after = list(bindings.leaves(bindings.replace_outputs(binding, lambda o: Value(o.step))))

    assert after == [Value(x.step) if isinstance(x, Output) else x for x in before]


def test_leaves_come_in_order() -> None:
    tree = Items("list", (Value(1), Entries({"a": Output("s"), "b": Value(2)}), Value(3)))

    assert list(bindings.leaves(tree)) == [Value(1), Output("s"), Value(2), Value(3)]


@pytest.mark.parametrize("wire", [None, [], ["value"], ["output", 1, "x"], ["set", []], {"a": 1}])
def test_what_is_no_binding_is_refused(wire: object) -> None:
    with pytest.raises(InvalidDefinition, match="a binding cannot have the form"):
        bindings.from_wire(wire)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"digest": None},
        {"codec": {}},
        {"media_type": 1},
        {"digest": "d"},
        {"size_bytes": -1},
        {"size_bytes": 2**63},
        {"size_bytes": True},
        {"inline": "?"},
        {"inline": 3},
    ],
)
def test_a_reference_that_makes_no_sense_is_refused(wrong):
    right = {"digest": "0" * 64, "size_bytes": 1, "media_type": "a/b", "codec": "json"}
    assert bindings.from_wire(["ref", right]).ref.size_bytes == 1
    with pytest.raises(InvalidDefinition):
        bindings.from_wire(["ref", wrong and right | wrong])
