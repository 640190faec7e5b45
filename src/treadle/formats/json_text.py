"""JSON text as plain data, with the place of every value. RFC 8259, less repeated names."""

import bisect
import json
import re
from typing import Any, NoReturn

from treadle.formats import scalars
from treadle.formats.problems import Place, Places, Problems

DEEPEST = 100  #: lists and objects within each other
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"null": None, "true": True, "false": False}
_WORD = re.compile("|".join(_WORDS))
_decode = json.JSONDecoder().raw_decode
_Node = tuple[Any, Places]


def parse(text: str, problems: Problems) -> dict[str, Any]:
    """The document's data; `problems.places` is filled.

    Raises InvalidDefinition for text that is no JSON; lesser problems are collected.
    """
    reader = _Reader(text, problems)
    value, problems.places = reader.document()
    if not isinstance(value, dict):
        problems.add((), 'expected an object with "steps".')
        problems.fail()
    return value


class _Reader:
    def __init__(self, text: str, problems: Problems) -> None:
        self._text, self._problems = text, problems
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._position = self._depth = 0

    def document(self) -> _Node:
        if not self._text.strip():
            self._fail("the file is empty.")
        node = self._node()
        self._skip()
        if self._position < len(self._text):
            self._fail("expected the end of the file here.")
        return node

    def _place(self, position: int) -> Place:
        line = bisect.bisect_right(self._lines, position)
        return line, position - self._lines[line - 1] + 1

    def _fail(self, message: str, hint: str = "") -> NoReturn:
        self._problems.add_at(self._place(self._position), message, hint)
        self._problems.fail()

    def _skip(self) -> str:
        """The next character that is no space; "" at the end."""
        match = _SPACE.match(self._text, self._position)
        self._position = match.end() if match else self._position
        return self._text[self._position : self._position + 1]

    def _node(self) -> _Node:
        first = self._skip()
        place = self._place(self._position)
        if first in ("{", "["):
            self._depth += 1
            if self._depth > DEEPEST:
                self._fail(f"nested more than {DEEPEST} deep.", "Flatten it.")
            self._position += 1
            node = self._object(place) if first == "{" else self._array(place)
            self._depth -= 1
            return node
        return (self._string() if first == '"' else self._literal()), place

    def _object(self, place: Place) -> _Node:
        found: dict[str, Any] = {}
        places: dict[str | None, Any] = {None: place}
        if self._skip() == "}":
            self._position += 1
            return found, places
        while True:
            if self._skip() != '"':
                self._fail("not valid JSON: expected a name in double quotes.")
            at = self._place(self._position)
            key = self._string()
            self._expect(":")
            value, value_places = self._node()
            if key in found:
                line, column = places[key][0]
                message = f"the key {key!r} stands here a second time (first at {line}:{column})."
                self._problems.add_at(at, message, "Remove one, or give it another name.")
            else:
                found[key] = value
                places[key] = at, value_places
            if self._ends("}"):
                return found, places

    def _array(self, place: Place) -> _Node:
        values: list[Any] = []
        places: list[Any] = [place]
        if self._skip() == "]":
            self._position += 1
            return values, places
        while True:
            value, value_places = self._node()
            values.append(value)
            places.append(value_places)
            if self._ends("]"):
                return values, places

    def _ends(self, close: str) -> bool:
        character = self._skip()
        if character not in (",", close) or not character:
            self._fail(f"not valid JSON: expected a comma or {close}.")
        self._position += 1
        if character == "," and self._skip() == close:
            self._fail(f"not valid JSON: a comma before {close}.", "Remove it.")
        return character == close

    def _expect(self, character: str) -> None:
        if self._skip() != character:
            self._fail(f"not valid JSON: expected {character}")
        self._position += 1

    def _string(self) -> str:
        try:
            text, end = _decode(self._text, self._position)
            text.encode()
        except json.JSONDecodeError as error:
            self._position = error.pos
            self._fail(f"not valid JSON: {error.msg}.")
        except UnicodeEncodeError:
            self._fail("half of a surrogate pair is no character.")
        self._position = end
        return str(text)

    def _literal(self) -> Any:
        if word := _WORD.match(self._text, self._position):
            self._position = word.end()
            return _WORDS[word[0]]
        match = _NUMBER.match(self._text, self._position)
        if match is None:
            hint = "JSON has no comments and no single quotes; YAML (treadle.yaml) has."
            self._fail("not valid JSON: expected a value.", hint)
        try:
            whole = not match[2] and not match[3]
            value = scalars.integer(match[0]) if whole else scalars.number(match[0])
        except ValueError as error:
            self._fail(str(error), "If text is meant, write it in quotes.")
        self._position = match.end()
        return value
