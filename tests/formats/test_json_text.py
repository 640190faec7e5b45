"""JSON as plain data: the same as Python reads, with places and plain words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import InvalidDefinition
from treadle.formats.reading import parse_text


def refusal(text: str) -> str:
    with pytest.raises(InvalidDefinition) as caught:
        parse_text(text, "f.json", as_json=True).problems.fail()
    return caught.value.sentence


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), plain, max_size=5), st.sampled_from([None, 1, 2]))
def test_what_python_writes_is_read_as_it_was(document: dict, indent: int | None) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=indent == 1)
    parsed = parse_text(text, "f.json", as_json=True)
    assert not parsed.problems.found
    assert json.dumps(parsed.value) == json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.json:1:1: the file is empty."),
        ("[1]", 'f.json:1:1: expected an object with "steps".'),
        ('{"a": 1,}', "f.json:1:9: not valid JSON: a comma before }. Remove it."),
        ('{"a": 1 "b": 2}', "f.json:1:9: not valid JSON: expected a comma or }."),
        ('{"a" 1}', "f.json:1:6: not valid JSON: expected :"),
        ("{a: 1}", "f.json:1:2: not valid JSON: expected a name in double quotes."),
        (
            '{"a": \n  NaN}',
            (
                "f.json:2:3: not valid JSON: expected a value. "
                "JSON has no comments and no single quotes; YAML (treadle.yaml) has."
            ),
        ),
        ('{"a": 01}', "f.json:1:8: not valid JSON: expected a comma or }."),
        ('{"a": 1} x', "f.json:1:10: expected the end of the file here."),
        ('{"a": "x\ny"}', "f.json:1:9: not valid JSON: Invalid control character at."),
        ('{"a": "\\ud800"}', "f.json:1:7: half of a surrogate pair is no character."),
        (
            '{"a": 1e999}',
            (
                "f.json:1:7: 1e999 is no number that JSON can carry. "
                "If text is meant, write it in quotes."
            ),
        ),
        (
            '{"a": 1,\n "a": 2}',
            (
                "f.json:2:2: the key 'a' stands here a second time "
                "(first at 1:2). Remove one, or give it another name."
            ),
        ),
        ('{"a": [1, 2', "f.json:1:12: not valid JSON: expected a comma or ]."),
        ("{", "f.json:1:2: not valid JSON: expected a name in double quotes."),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(text: str, message: str) -> None:
    assert refusal(text) == message


@pytest.mark.parametrize("open_", ["[", '{"a":'])
def test_deep_nesting_is_refused_however_deep_it_is(open_: str) -> None:
    assert refusal(open_ * 100_000).endswith("nested more than 100 deep. Flatten it.")


def test_a_number_of_a_million_digits_is_refused() -> None:
    assert "does not fit 64 bits" in refusal('{"a": ' + "9" * 1_000_000 + "}")
