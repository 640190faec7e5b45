"""Checks parts of a file against their classes, and says in plain words what does not fit."""

import functools
import re
import types
import typing
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from treadle.formats.problems import Path, Problems
from treadle.model.graph import nearest

S = TypeVar("S", bound=msgspec.Struct)
_NAMES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    types.NoneType: "null",
}
_BOUND = re.compile(r"Expected `\w+` (>=|>|<=|<) (\S+)")


def read(kind: type[S], value: Any, path: Path, problems: Problems) -> S | None:
    """The value as its class; None, with all that is wrong told, if it is none."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        before = len(problems.found)
        _compare(kind, value, path, problems)
        if len(problems.found) == before:  # pragma: no cover - msgspec refuses what we would not
            raise
        return None


def read_fields(
    kind: type[msgspec.Struct], value: dict[str, Any], path: Path, problems: Problems
) -> dict[str, Any]:
    """The values of the class's keys that are there and fit; what does not is told."""
    known, found = fields(kind), {}
    for key, each in value.items():
        if key not in known:
            _refuse_key(kind, key, path, problems)
            continue
        before = len(problems.found)
        _compare_value(known[key], each, (*path, key), problems)
        if len(problems.found) == before:
            found[key] = each
    return found


#: What others call it -> what we do.
_OTHER_WORDS = {
    "cmd": "command",
    "depends": "after",
    "depends_on": "after",
    "mem": "memory",
    "needs": "after",
    "params": "parameters",
    "py": "script",
    "retry": "retries",
    "run": "command",
    "vars": "env",
}


def _refuse_key(kind: type[msgspec.Struct], key: str, path: Path, problems: Problems) -> None:
    known = fields(kind)
    where = f" in {_last(path)}" if path else ""
    meant = _OTHER_WORDS.get(key.lower(), key)
    hint = nearest(meant, known) or f"It may have: {', '.join(known)}."
    problems.add((*path, key), f"there is no key {key!r}{where}.", hint, at_key=True)


def _compare(kind: type[msgspec.Struct], value: Any, path: Path, problems: Problems) -> None:
    if not isinstance(value, dict):
        problems.add(path, f"{_last(path)}: expected a mapping, got {shown(value)}.")
        return
    known = fields(kind)
    for key, each in value.items():
        if key not in known:
            _refuse_key(kind, key, path, problems)
        else:
            _compare_value(known[key], each, (*path, key), problems)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in value:
            problems.add(path, f"`{field.name}` is missing.")


def _compare_value(kind: Any, value: Any, path: Path, problems: Problems) -> None:
    """Tell what is wrong with a value, as deep inside as can be."""
    try:
        msgspec.convert(value, kind)
        return
    except msgspec.ValidationError as error:
        bound = _BOUND.match(str(error))
    part = _part_for(kind, value)
    if bound:
        words = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
        wanted = f"{words[bound[1]]} {bound[2]}"
        problems.add(path, f"{_last(path)}: expected {wanted}, got {shown(value)}.")
    elif part is None:
        _mismatch(kind, value, path, problems)
    elif _is_class(part):
        _compare(part, value, path, problems)
    elif not value:
        problems.add(path, f"{_last(path)}: expected at least one.")
    else:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            _compare_value(get_args(part)[-1], each, (*path, key), problems)


def _is_class(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, msgspec.Struct)


def _mismatch(kind: Any, value: Any, path: Path, problems: Problems) -> None:
    choices = [choice for part in _parts(kind) for choice in _choices(part)]
    wanted = words(kind)
    hint = ""
    if isinstance(value, str) and choices:
        hint = nearest(value, choices)
    elif str in _parts(kind) and not isinstance(value, dict | list | types.NoneType):
        hint = f'Write it in quotes: "{shown(value)}".'
    problems.add(path, f"{_last(path)}: expected {wanted}, got {shown(value)}.", hint)


def fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The keys of a class with the types of their values."""
    return _fields(kind)


@functools.cache
def _fields(kind: Any) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def _part_for(kind: Any, value: Any) -> Any:
    """The alternative with whose parts those of a list or mapping are to be compared."""
    for part in _parts(kind):
        if isinstance(value, dict) and (_is_class(part) or get_origin(part) is dict):
            return part
        if isinstance(value, list) and get_origin(part) is list:
            return part
    return None


@functools.cache
def _parts(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a type, without UNSET."""
    if get_origin(kind) is typing.Annotated:
        return _parts(get_args(kind)[0])
    if get_origin(kind) in (typing.Union, types.UnionType):
        found = [part for each in get_args(kind) for part in _parts(each)]
        return tuple(part for part in found if part is not msgspec.UnsetType)
    return (kind,)


def _choices(part: Any) -> tuple[str, ...]:
    return get_args(part) if get_origin(part) is Literal else ()


def words(kind: Any) -> str:
    """A type in plain words: "text, a list or null"."""
    found: dict[str, None] = {}
    parts = _parts(kind)
    for part in parts:
        if choices := _choices(part):
            found |= dict.fromkeys(map(repr, choices))
        elif part is int and float in parts:
            continue
        elif _is_class(part):
            found["a mapping"] = None
        else:
            found[_NAMES.get(get_origin(part) or part, "a value")] = None
    words = list(found)
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shown(value: Any) -> str:
    """A value of the file, briefly: "text 'abc'", "3", "a list"."""
    if isinstance(value, str):
        return f"text {value[:40]!r}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return _NAMES[type(value)]
    return "null" if value is None else str(value)


def _last(path: Path) -> str:
    """The nearest name on the path, for the beginning of a message."""
    names = [key for key in path if isinstance(key, str)]
    return names[-1] if names else "the file"
