"""The parameters of a pipeline file: a default, or a JSON Schema of a small subset.

Types are checked by msgspec, which is strict: "3" is no integer, true is no number.
"""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from treadle.errors import InvalidParameters
from treadle.formats.checking import shown
from treadle.formats.problems import Path, Problem, Problems, error_of, key_of, taken_apart
from treadle.model.graph import nearest
from treadle.model.secrets import looks_secret
from treadle.model.text_parameters import read_texts

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KEYWORDS = {
    "type": None,
    "enum": None,
    "default": None,
    "description": None,
    "title": None,
    "examples": None,
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "items": None,
    "minItems": "min_length",
    "maxItems": "max_length",
}
_OF_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_OF_TEXT = ("minLength", "maxLength", "pattern")
_OF_LISTS = ("items", "minItems", "maxItems")
_NEED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_OF_NUMBERS, ("number", "integer")),
    **dict.fromkeys(_OF_TEXT, ("string",)),
    **dict.fromkeys(_OF_LISTS, ("array",)),
}
_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": None,
}
_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ROOT = "parameters"
TYPED = "-p {}=..."


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterTypes:
    """What a pipeline can be given. schema: of all of them, 2020-12."""

    schema: Mapping[str, Any]
    file: str

    def values(
        self, given: Mapping[str, Any], texts: Mapping[str, str], where: str, how: str = TYPED
    ) -> dict[str, Any]:
        """The value of each parameter: as given, as typed, or the default. how: to give one.

        Raises InvalidParameters for unknown names, wrong values, and those without any.
        """
        typed = read_texts(self.schema, texts, where=where)
        found = {**given, **typed}
        file, line, column = taken_apart(where)
        wrong = [
            Problem(
                file=file,
                line=line,
                column=column,
                message=message,
                hint=hint,
                key=key_of((ROOT, name)),
            )
            for name, message, hint in self._wrong(found, how)
        ]
        if wrong:
            raise error_of(wrong, InvalidParameters)
        properties = self.schema["properties"]
        defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
        return {name: {**defaults, **found}[name] for name in properties}

    def _wrong(self, found: Mapping[str, Any], how: str) -> list[tuple[str, str, str]]:
        """(name, message, hint)"""
        properties = self.schema["properties"]
        owner, wrong = self.schema["title"], []
        for name, value in found.items():
            if name not in properties:
                hint = nearest(name, properties) or f"It takes: {', '.join(properties) or 'none'}."
                wrong.append((name, f"{owner}({name}=...): there is no such parameter.", hint))
            elif message := mismatch(properties[name], value):
                wrong.append((name, f"{owner}({name}=...): {message}", ""))
        for name in self.schema["required"]:
            if name not in found:
                hint = f"Give it: {how.format(name, name)}"
                wrong.append((name, f"{owner}: parameter {name!r} has no value.", hint))
        return wrong


def read_types(written: Mapping[str, Any], title: str, problems: Problems) -> ParameterTypes:
    """The types that `parameters:` declares; what is wrong with them is told."""
    properties: dict[str, Any] = {}
    for name, declared in written.items():
        path: Path = (ROOT, name)
        if not NAME.fullmatch(name):
            hint = "Use letters, digits and _, no digit first."
            problems.add(path, f"a parameter cannot be called {name!r}.", hint, at_key=True)
        if looks_secret(name):
            problems.warn(
                path,
                f"parameter {name!r} looks secret, and parameters are stored and shown.",
                "Take it from the environment: env: {NAME: '${env.NAME}'}.",
            )
        properties[name] = _property(declared, path, problems)
    schema = {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "properties": properties,
        "required": [name for name, each in properties.items() if "default" not in each],
        "additionalProperties": False,
    }
    return ParameterTypes(schema=schema, file=problems.file)


def mismatch(schema: Mapping[str, Any], value: Any) -> str:
    """What is wrong with the value, beginning small; "" if nothing is."""
    choices = schema.get("enum")
    if choices is not None and not any(_same(value, choice) for choice in choices):
        near = nearest(
            value,
            [each for each in choices if isinstance(each, str)] if isinstance(value, str) else [],
        )
        listed = ", ".join(json.dumps(each, ensure_ascii=False) for each in choices)
        return f"expected one of {listed}, got {shown(value)}. {near}".rstrip()
    try:
        msgspec.convert(value, _type(json.dumps(schema, sort_keys=True)), strict=True)
    except msgspec.ValidationError as error:
        return _in_words(str(error), value)
    return ""


def sample(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each parameter: the default, or one that only stands for a value."""
    return {name: _sample(each) for name, each in schema["properties"].items()}


def _sample(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("maximum", 1))
    samples = {"string": "text", "boolean": True, "array": [], "object": {}, "null": None}
    return samples[kind]


def _property(declared: Any, path: Path, problems: Problems) -> dict[str, Any]:
    """The JSON Schema of one parameter."""
    if not isinstance(declared, dict):
        kind = _NAMES.get(type(declared))
        return {"type": kind, "default": declared} if kind else {"default": declared}
    if not _is_sound(declared, path, problems):
        return {key: declared[key] for key in ("default",) if key in declared}
    if "default" in declared and (message := mismatch(declared, declared["default"])):
        problems.add((*path, "default"), f"the default of {path[-1]!r}: {message}")
    return dict(declared)


def _is_sound(schema: Mapping[str, Any], path: Path, problems: Problems) -> bool:
    """Whether we understand the schema; what is not is told."""
    before = len(problems.found)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    for key in schema:
        if key not in KEYWORDS:
            known = nearest(key, KEYWORDS)
            hint = known or "For a default that is a mapping write {default: {...}}."
            problems.add(
                (*path, key), f"parameter {path[1]!r} has no keyword {key!r}.", hint, at_key=True
            )
        elif key in _NEED and not set(types) & set(_NEED[key]):
            needed = " or ".join(_NEED[key])
            problems.add((*path, key), f"{key!r} goes with type {needed}.", at_key=True)
    for kind in types if isinstance(types, list) else [types]:
        if not isinstance(kind, str) or kind not in _TYPES:
            hint = nearest(str(kind), _TYPES) or f"Types: {', '.join(_TYPES)}."
            problems.add((*path, "type"), f"there is no type {kind!r}.", hint)
    if "enum" in schema and not (isinstance(schema["enum"], list) and schema["enum"]):
        problems.add((*path, "enum"), "enum: expected a list of values.")
    if "items" in schema:
        if isinstance(schema["items"], dict):
            _is_sound(schema["items"], (*path, "items"), problems)
        else:
            problems.add((*path, "items"), "items: expected a mapping such as {type: number}.")
    if len(problems.found) == before:
        _check_bounds(schema, path, problems)
    return len(problems.found) == before


def _check_bounds(schema: Mapping[str, Any], path: Path, problems: Problems) -> None:
    try:
        _type(json.dumps(schema, sort_keys=True))
    except (TypeError, ValueError, re.error) as error:
        problems.add(path, f"the schema of {path[1]!r} makes no sense: {error}.")


@functools.lru_cache(maxsize=512)
def _type(schema_text: str) -> Any:
    """The msgspec type of a schema. Raises TypeError, ValueError for bounds that are none."""
    schema = json.loads(schema_text)
    names = schema.get("type")
    if names is None:
        return Any
    names = [names] if isinstance(names, str) else names
    found: Any = None
    for number, name in enumerate(names):
        kind = _constrained(name, schema)
        found = kind if number == 0 else found | kind
    msgspec.json.schema_components([found])  # raises for bounds that are no numbers, and so on
    return found


def _constrained(name: str, schema: Mapping[str, Any]) -> Any:
    kind = _TYPES[name]
    if name == "array" and "items" in schema:
        kind = list[_type(json.dumps(schema["items"], sort_keys=True))]  # type: ignore[misc]
    bounds: dict[str, Any] = {
        str(KEYWORDS[key]): value
        for key, value in schema.items()
        if key in _NEED and name in _NEED[key] and KEYWORDS[key]
    }
    if "pattern" in bounds:
        re.compile(bounds["pattern"])
    return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind


def _same(value: Any, choice: Any) -> bool:
    """Equal, with true no number."""
    return bool(value == choice) and isinstance(value, bool) == isinstance(choice, bool)


def _in_words(text: str, value: Any) -> str:
    """msgspec's "Expected `int`, got `str`" with JSON's names."""
    text, _, path = text.partition(" - at `$")
    names = {"int": "an integer", "float": "a number", "str": "text", "bool": "true or false"}
    names |= {"array": "a list", "object": "a mapping", "null": "null", "dict": "a mapping"}
    for name, word in names.items():
        text = re.sub(rf"\b{name}\b(?=[^`]*`)", word, text)
    text = text.replace("`", "").replace(" | ", " or ")
    text = text[:1].lower() + text[1:]
    inside = f" at {path.rstrip('`')}" if path else ""
    got = "" if ", got" in text else f", got {shown(value)}"
    return f"{text}{got}{inside}."
