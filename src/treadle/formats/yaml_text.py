"""YAML text as plain data, with the place of every value. One document, a mapping.

The events come from libyaml; only what this page accepts is accepted: the core types, aliases and
merge keys within limits.
"""

from collections.abc import Callable
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from treadle.formats import scalars
from treadle.formats.problems import Places, Problems

DEEPEST = 100  #: lists and mappings within each other
REPEATED = 200_000  #: values that aliases may add; long text counts as many
TEXT_OF_ONE = 100  #: characters that count as a value
_TAG = "tag:yaml.org,2002:"
_QUOTE = "If text is meant, write it in quotes."
_READERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": scalars.integer,
    "float": scalars.number,
}
_Node = tuple[Any, Places]
_OPEN: Any = object()  # an anchor whose value is not complete yet


def parse(text: str, problems: Problems) -> dict[str, Any]:
    """The document's data; `problems.places` is filled.

    Raises InvalidDefinition for text that is no YAML; lesser problems are collected.
    """
    try:
        value, problems.places = _Reader(text, problems).document()
    except yaml.MarkedYAMLError as error:
        _explain(error, text, problems)
    except ReaderError as error:
        before = text.encode("utf-8", "surrogatepass")[: error.position].decode(errors="replace")
        column = len(before) - before.rfind("\n")
        problems.add_at((before.count("\n") + 1, column), "a character that YAML does not allow")
        problems.fail()
    if not isinstance(value, dict):
        problems.add((), "expected a mapping with `steps:`.")
        problems.fail()
    return value


class _Reader:
    def __init__(self, text: str, problems: Problems) -> None:
        self._get: Callable[[], Any] = CParser(text).get_event
        self._problems = problems
        self._anchors: dict[str, tuple[Any, Places, int]] = {}
        self._depth = self._count = self._repeated = 0

    def document(self) -> _Node:
        self._get()  # the stream's start
        event = self._get()
        if isinstance(event, StreamEndEvent):
            self._fail(event, "the file is empty.", "Write at least `steps:` with one step.")
        node = self._node(self._get())
        self._get()  # the document's end
        event = self._get()
        if isinstance(event, DocumentStartEvent):
            self._fail(event, "a second document begins here.", "Put each into its own file.")
        return node

    def _node(self, event: Any) -> _Node:
        kind = type(event)
        if kind is ScalarEvent and event.anchor is None:
            self._count += 1 + len(event.value) // TEXT_OF_ONE
            return self._scalar(event), event.start_mark
        if kind is AliasEvent:
            return self._alias(event)
        before, anchor = self._count, event.anchor
        if anchor is not None:
            self._anchors[anchor] = _OPEN
        if kind is MappingStartEvent:
            value, places = self._nested(self._mapping, event)
        elif kind is SequenceStartEvent:
            value, places = self._nested(self._sequence, event)
        else:
            value, places = self._scalar(event), event.start_mark
            self._count += len(event.value) // TEXT_OF_ONE
        self._count += 1
        if anchor is not None:
            self._anchors[anchor] = value, places, self._count - before
        return value, places

    def _nested(self, read: Callable[[Any], _Node], event: Any) -> _Node:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(event, f"nested more than {DEEPEST} deep.", "Flatten it.")
        if event.tag is not None and event.tag not in (_TAG + "map", _TAG + "seq"):
            self._refuse_tag(event)
        node = read(event)
        self._depth -= 1
        return node

    def _sequence(self, start: Any) -> _Node:
        values, places = [], [start.start_mark]
        while type(event := self._get()) is not SequenceEndEvent:
            value, place = self._node(event)
            values.append(value)
            places.append(place)
        return values, places

    def _mapping(self, start: Any) -> _Node:
        found: dict[str, Any] = {}
        places: dict[str | None, Any] = {None: start.start_mark}
        merged: list[tuple[Any, Places, Any]] = []
        while type(event := self._get()) is not MappingEndEvent:
            key, _ = self._node(event)
            value, place = self._node(self._get())
            mark = event.start_mark
            if key == "<<" and type(event) is ScalarEvent and event.implicit[0]:
                merged.append((value, place, mark))
            elif type(key) is not str:
                self._refuse_key(mark, key)
            elif key in found:
                self._duplicate(mark, key, places[key][0])
            else:
                found[key] = value
                places[key] = mark, place
        for value, place, mark in merged:
            self._merge(found, places, value, place, mark)
        return found, places

    def _merge(self, found: Any, places: Any, value: Any, place: Places, mark: Any) -> None:
        """Take over what the mapping, or each of a list of them, has and this one has not."""
        several = isinstance(value, list)
        pairs = zip(value, place[1:], strict=True) if several else [(value, place)]
        for each, each_place in pairs:
            if not isinstance(each, dict):
                self._problems.add_at(_at(mark), "`<<` expects a mapping, or a list of them.")
                continue
            for key in each:
                if key not in found:
                    found[key] = each[key]
                    places[key] = each_place[key]

    def _alias(self, event: Any) -> _Node:
        name = event.anchor
        if name not in self._anchors:
            self._fail(event, f"there is no anchor &{name} above this alias.")
        if self._anchors[name] is _OPEN:
            self._fail(event, f"the alias *{name} stands inside what it repeats.")
        value, places, count = self._anchors[name]
        self._count += count
        self._repeated += count
        if self._repeated > REPEATED:
            hint = "Aliases of aliases multiply; write the values out, or make fewer."
            self._fail(event, f"the aliases up to *{name} repeat over {REPEATED} values.", hint)
        return value, places

    def _scalar(self, event: Any) -> Any:
        if event.tag is not None:
            return event.value if event.tag == "!" else self._tagged(event)
        if not event.implicit[0]:
            return event.value
        try:
            return scalars.plain(event.value)
        except ValueError as error:
            self._problems.add_at(_at(event.start_mark), str(error), _QUOTE)
            return event.value

    def _tagged(self, event: Any) -> Any:
        kind = event.tag.removeprefix(_TAG)
        try:
            if kind in ("null", "bool"):
                return scalars.plain(event.value)
            if kind in _READERS:
                return _READERS[kind](event.value)
        except ValueError:
            self._problems.add_at(_at(event.start_mark), f"{event.value!r} is no !!{kind}.")
            return event.value
        self._refuse_tag(event)
        return event.value

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag.replace(_TAG, "!!")
        self._problems.add_at(_at(event.start_mark), f"the tag {tag} means nothing here.")

    def _refuse_key(self, mark: Any, key: Any) -> None:
        if isinstance(key, dict | list):
            self._problems.add_at(_at(mark), "a key must be text, not a list or mapping.")
            return
        shown = str(key).lower() if isinstance(key, bool) else "null" if key is None else str(key)
        hint = f'Write it in quotes: "{shown}".'
        self._problems.add_at(_at(mark), f"a key must be text, and {shown} is not.", hint)

    def _duplicate(self, mark: Any, key: str, first: Any) -> None:
        line, column = _at(first)
        message = f"the key {key!r} stands here a second time (first at {line}:{column})."
        self._problems.add_at(_at(mark), message, "Remove one, or give it another name.")

    def _fail(self, event: Any, message: str, hint: str = "") -> None:
        self._problems.add_at(_at(event.start_mark), message, hint)
        self._problems.fail()


def _at(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _explain(error: yaml.MarkedYAMLError, text: str, problems: Problems) -> None:
    """libyaml's complaint in our words."""
    mark = error.problem_mark or error.context_mark
    line, column = _at(mark) if mark else (1, 1)
    lines = text.splitlines()
    for number in (line, line - 1):
        indent = _indent(lines[number - 1]) if 0 < number <= len(lines) else ""
        if "\t" in indent:
            hint = "Indent with spaces."
            problems.add_at((number, indent.index("\t") + 1), "YAML allows no tab here.", hint)
            problems.fail()
    problem = f"not valid YAML: {error.problem or 'it cannot be read'}"
    if error.context and error.context_mark:
        problem += f" ({error.context} that began at line {error.context_mark.line + 1})"
    hint = "Text that begins with @, `, %, * or & needs quotes." if "token" in problem else ""
    problems.add_at((line, column), f"{problem}.", hint)
    problems.fail()


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
