"""Documents as YAML or JSON text; YAML that exists is changed in place, its comments kept."""

import io
import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.mergevalue import MergeValue
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from treadle.errors import InvalidDefinition
from treadle.formats import scalars
from treadle.formats.comments import last_key, put_lines_after, take_lines_after
from treadle.formats.definition import FREE
from treadle.formats.reading import parse_text

_SHORT = 78  #: characters of a list or mapping that stands on one line


def to_yaml(document: Mapping[str, Any], comment: str = "") -> str:
    """A document as YAML; the top and the steps in blocks, what is short on one line."""
    made = CommentedMap({_text(key): _block(value, key) for key, value in document.items()})
    if comment:
        made.yaml_set_start_comment(comment)
    return _dump(_writer(), made)


def to_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def rewrite(text: str, document: Mapping[str, Any]) -> str:
    """The YAML text changed so that it says what the document says.

    Comments, order, quotes and anchors that still apply stay, and so do `x-` keys.
    Raises InvalidDefinition if the text is no YAML.
    """
    before = parse_text(text, "the old text").value
    free = {key: value for key, value in before.items() if key.startswith(FREE)}
    wanted = {**free, **document}
    writer = _writer()
    writer.preserve_quotes = True
    found = writer.load(text)
    mapping, offset = _indents(text)
    writer.indent(mapping=mapping, sequence=offset + 2, offset=offset)
    _Update().mapping(found, wanted)
    made = _dump(writer, found)
    return made if _says(made, wanted) else to_yaml(wanted)


def _says(text: str, document: Mapping[str, Any]) -> bool:
    try:
        return bool(_same(parse_text(text, "the new text").value, dict(document)))
    except InvalidDefinition:
        return False


def _indents(text: str) -> tuple[int, int]:
    """(of mappings, of a list's dashes), as the text has them first."""
    mapping = re.search(
        r"^( *)[^\s#-].*:[ ]*(?:#.*)?\n(?:\s*#.*\n|\s*\n)*\1( +)[^\s#-]", text, re.M
    )
    dashes = re.search(r"^( *)[^\s#-].*:[ ]*(?:#.*)?\n(?:\s*#.*\n|\s*\n)*\1( *)- ", text, re.M)
    return len(mapping[2]) if mapping else 2, len(dashes[2]) if dashes else 2


def _writer() -> YAML:
    writer = YAML()
    writer.width = 100_000  # lines are never broken
    writer.allow_unicode = True
    writer.indent(mapping=2, sequence=4, offset=2)
    return writer


def _dump(writer: YAML, value: Any) -> str:
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue()


def _block(value: Any, key: str = "") -> Any:
    """Data for the writer: blocks, with short lists and mappings on one line."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        made = CommentedMap({_text(name): _block(each) for name, each in value.items()})
        _flow_if_short(made, value, key)
        return made
    if isinstance(value, list):
        items = CommentedSeq([_block(each) for each in value])
        _flow_if_short(items, value, key)
        return items
    return value


def _flow_if_short(made: Any, value: Any, key: str) -> None:
    leaves = value.values() if isinstance(value, Mapping) else value
    flat = all(not isinstance(each, Mapping | list) or not each for each in leaves)
    text = json.dumps(value, ensure_ascii=False)
    if not value or (key != "steps" and flat and len(text) <= _SHORT and "\\n" not in text):
        made.fa.set_flow_style()


def _text(text: str) -> Any:
    """Text in the quotes that it needs to be read as text again, by us and by others."""
    if _is_block(text):
        return LiteralScalarString(text)
    try:
        is_plain = isinstance(scalars.plain(text), str) and text.isprintable()
    except ValueError:
        is_plain = False
    if not is_plain or text == "<<" or text[0] in "?:":
        return DoubleQuotedScalarString(text)
    return text


def _is_block(text: str) -> bool:
    """Whether it may stand as lines behind a `|`."""
    first, newline, _ = text.partition("\n")
    lines = text.split("\n")
    return (
        bool(newline and first)
        and not first.startswith(" ")
        and all(line.isprintable() and (not line or line.strip()) for line in lines)
    )


class _Update:
    """Makes what ruamel read equal to plain data, touching no more than differs.

    What several aliases share is changed for the first; those that want it otherwise get their own.
    """

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}

    def mapping(self, found: Any, wanted: Mapping[str, Any]) -> None:
        self._seen[id(found)] = wanted
        merged = getattr(found, MergeValue.attrib, None) or ()
        if any(key not in wanted for each in merged for key in each):
            _unmerge(found)
        lines = _take_after_all(found)
        for key in list(found):
            if key in wanted:
                self._replace(found, key, wanted[key])
            else:
                del found[key]
        for position, (key, value) in enumerate(wanted.items()):
            if key not in found:
                found.insert(min(position, len(found)), _text(key), _block(value, key))
        _put_after_all(found, lines)

    def _replace(self, found: Any, key: Any, value: Any) -> None:
        made = self._value(found[key], value)
        if made is not found[key]:
            lines = take_lines_after(found, key)
            found[key] = made
            put_lines_after(found, key, lines)

    def _value(self, old: Any, new: Any) -> Any:
        """What is to stand in the place of old: itself, changed or not, or something new."""
        if id(old) in self._seen and not _same(self._seen[id(old)], new):
            return _block(new)
        if isinstance(old, CommentedMap) and isinstance(new, dict):
            self.mapping(old, new)
            return old
        if isinstance(old, CommentedSeq) and isinstance(new, list):
            self._sequence(old, new)
            return old
        return old if _same(old, new) else _block(new)

    def _sequence(self, found: Any, wanted: list[Any]) -> None:
        self._seen[id(found)] = wanted
        lines = _take_after_all(found)
        for index in range(min(len(found), len(wanted))):
            self._replace(found, index, wanted[index])
        del found[len(wanted) :]
        found.extend(_block(value) for value in wanted[len(found) :])
        _put_after_all(found, lines)


def _take_after_all(found: Any) -> str:
    last = last_key(found)
    return "" if last is None or found.fa.flow_style() else take_lines_after(found, last)


def _put_after_all(found: Any, lines: str) -> None:
    last = last_key(found)
    if last is not None:
        put_lines_after(found, last, lines)


def _unmerge(found: Any) -> None:
    """Write out what `<<` brings, so that a part of it can be left out."""
    brought = getattr(found, MergeValue.attrib, None)
    if not brought:
        return
    pairs = [(key, found[key]) for key in found]
    delattr(found, MergeValue.attrib)
    for each in brought:
        each._ref[:] = [other for other in each._ref if other is not found]
    for key, value in pairs:
        found[key] = value


def _same(old: Any, new: Any) -> bool:
    """Equal in value and in JSON's type."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in new)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    kinds = (bool, int, float, str, type(None))
    return bool(old == new) and _kind(old, kinds) == _kind(new, kinds)


def _kind(value: Any, kinds: tuple[type, ...]) -> Any:
    return next((kind for kind in kinds if isinstance(value, kind)), type(value))
