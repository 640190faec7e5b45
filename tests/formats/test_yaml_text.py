"""YAML as plain data: what is accepted, and how the rest is refused."""

import pytest

from treadle.errors import InvalidDefinition
from treadle.formats.reading import parse_text


def value_of(text: str) -> object:
    parsed = parse_text(text, "f.yaml")
    assert not parsed.problems.found, parsed.problems.found
    return parsed.value


def refusal(text: str) -> str:
    with pytest.raises(InvalidDefinition) as caught:
        parse_text(text, "f.yaml").problems.fail()
    return caught.value.sentence


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("0.1.2", "0.1.2"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("! 1", "1"),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_a_scalar_is_read_as_yaml_1_2_says(written: str, meant: object) -> None:
    found = value_of(f"key: {written}\n")
    assert found == {"key": meant}
    assert type(found["key"]) is type(meant)


def test_blocks_and_flows_may_be_mixed() -> None:
    text = "a: [1, {b: c}]\nd:\n  - e\n  - |\n    two\n    lines\nf: >-\n  folded\n  text\n"
    assert value_of(text) == {"a": [1, {"b": "c"}], "d": ["e", "two\nlines\n"], "f": "folded text"}


def test_an_alias_repeats_and_a_merge_key_fills_in() -> None:
    text = "x: &x {a: 1, b: 2}\ny: *x\nz: {<<: *x, b: 3}\nw:\n  <<: [*x, {c: 4}]\n  a: 0\n"
    found = value_of(text)
    assert found == {
        "x": {"a": 1, "b": 2},
        "y": {"a": 1, "b": 2},
        "z": {"a": 1, "b": 3},
        "w": {"a": 0, "b": 2, "c": 4},
    }


def test_a_key_called_merge_in_quotes_is_a_key() -> None:
    assert value_of('"<<": 1\n') == {"<<": 1}


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter() -> None:
    assert value_of("a: 1\r\nb:\r\n  - x\r\n") == {"a": 1, "b": ["x"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml:1:1: the file is empty. Write at least `steps:` with one step."),
        ("# only this\n", "f.yaml:2:1: the file is empty. Write at least `steps:` with one step."),
        ("- a\n", "f.yaml:1:1: expected a mapping with `steps:`."),
        ("text\n", "f.yaml:1:1: expected a mapping with `steps:`."),
        ("a:\n\tb: 1\n", "f.yaml:2:1: YAML allows no tab here. Indent with spaces."),
        ("a:\n  b: 1\n\tc: 2\n", "f.yaml:3:1: YAML allows no tab here. Indent with spaces."),
        (
            "a: 1\nb:\n  a: 2\n  a: 3\n",
            (
                "f.yaml:4:3: the key 'a' stands here a second time (first at 3:3). "
                "Remove one, or give it another name."
            ),
        ),
        (
            "a: 1\n---\nb: 2\n",
            "f.yaml:2:1: a second document begins here. Put each into its own file.",
        ),
        ("a: *b\n", "f.yaml:1:4: there is no anchor &b above this alias."),
        ("a: &a [*a]\n", "f.yaml:1:8: the alias *a stands inside what it repeats."),
        ("a: {<<: 3}\n", "f.yaml:1:5: `<<` expects a mapping, or a list of them."),
        ("1: a\n", 'f.yaml:1:1: a key must be text, and 1 is not. Write it in quotes: "1".'),
        (
            "yes: 1\ntrue: 2\n",
            ('f.yaml:2:1: a key must be text, and true is not. Write it in quotes: "true".'),
        ),
        ("? [a]\n: 1\n", "f.yaml:1:3: a key must be text, not a list or mapping."),
        (
            "a: .nan\n",
            (
                "f.yaml:1:4: .nan is no number that JSON can carry. "
                "If text is meant, write it in quotes."
            ),
        ),
        (
            "a: 1e999\n",
            (
                "f.yaml:1:4: 1e999 is no number that JSON can carry. "
                "If text is meant, write it in quotes."
            ),
        ),
        (
            "a: 9223372036854775808\n",
            (
                "f.yaml:1:4: 9223372036854775808 does not fit 64 bits. "
                "If text is meant, write it in quotes."
            ),
        ),
        ("a: !!int x\n", "f.yaml:1:4: 'x' is no !!int."),
        (
            "a: !!python/object:os.system x\n",
            "f.yaml:1:4: the tag !!python/object:os.system means nothing here.",
        ),
        ("a: !mine {b: 1}\n", "f.yaml:1:4: the tag !mine means nothing here."),
        (
            "a: b: c\n",
            "f.yaml:1:5: not valid YAML: mapping values are not allowed in this context.",
        ),
        (
            "a: [1, 2\nb: 3\n",
            (
                "f.yaml:2:2: not valid YAML: did not find expected ',' or ']' "
                "(while parsing a flow sequence that began at line 1)."
            ),
        ),
        (
            "a: @b\n",
            (
                "f.yaml:1:4: not valid YAML: found character that cannot start any token "
                "(while scanning for the next token that began at line 1). "
                "Text that begins with @, `, %, * or & needs quotes."
            ),
        ),
        ("a: b\x01\n", "f.yaml:1:5: a character that YAML does not allow"),
        ("é: \x01\n", "f.yaml:1:4: a character that YAML does not allow"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(text: str, message: str) -> None:
    assert refusal(text) == message


@pytest.mark.parametrize("open_", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_however_deep_it_is(open_: str) -> None:
    assert "nested more than 100 deep. Flatten it." in refusal("a:\n " + open_ * 50_000 + "\n")


def test_aliases_that_multiply_are_refused_before_they_do() -> None:
    # Given billion laughs: nine levels, each nine times the one before
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    # When it is read, then it is refused at the alias that is too much
    assert refusal("\n".join(lines) + "\n") == (
        "f.yaml:6:12: the aliases up to *e repeat over 200000 values. "
        "Aliases of aliases multiply; write the values out, or make fewer."
    )


def test_many_aliases_of_little_are_fine() -> None:
    lines = ["x: &x {a: 1}", *(f"k{number}: *x" for number in range(5_000))]
    assert len(value_of("\n".join(lines))) == 5_001


def test_several_mistakes_are_told_together() -> None:
    assert refusal("a: 1\na: 2\nb: .inf\n1: x\n").splitlines() == [
        (
            "f.yaml:2:1: the key 'a' stands here a second time (first at 1:1). "
            "Remove one, or give it another name."
        ),
        (
            "f.yaml:3:4: .inf is no number that JSON can carry. "
            "If text is meant, write it in quotes."
        ),
        'f.yaml:4:1: a key must be text, and 1 is not. Write it in quotes: "1".',
    ]


def test_every_value_knows_its_place() -> None:
    parsed = parse_text("a: 1\nb:\n  - x\n  - c: &m {d: 2}\ne: {<<: *m}\n", "f.yaml")
    place = parsed.problems.place
    assert place(("b", 0)) == (3, 5)
    assert place(("b", 1, "c", "d")) == (4, 15)
    assert place(("b", 1, "c"), at_key=True) == (4, 5)
    assert place(("e", "d")) == (4, 15)
    assert place(("b", 7)) == (3, 3)  # the nearest around it
    assert place(("nowhere", "at", "all")) == (1, 1)
