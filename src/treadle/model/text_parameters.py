"""Parameters given as text (`-p test_size=0.25`), read by the types that a JSON Schema allows."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from treadle.errors import InvalidParameters
from treadle.model.graph import nearest

Schema = Mapping[str, Any]
_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}
_EXAMPLES = {
    "string": "text",
    "boolean": "true",
    "integer": "3",
    "number": "0.25",
    "null": "null",
    "array": "'[1, 2]'",
    "object": "'{\"a\": 1}'",
}


def read_texts(schema: Schema, text: Mapping[str, str], *, where: str = "") -> dict[str, Any]:
    """The values that the texts stand for: text stays where text is allowed, the rest is JSON.

    schema: of the parameters. Raises InvalidParameters for an unknown name, or text that cannot be
    read as what is wanted.
    """
    owner = schema.get("title", "")
    properties = schema.get("properties", {})
    values = {}
    for name, given in text.items():
        if name not in properties and not schema.get("additionalProperties", False):
            raise InvalidParameters(
                f"{owner}({name}=...): there is no such parameter.",
                where=where,
                hint=nearest(name, properties)
                or f"It takes: {', '.join(properties) or 'nothing'}.",
            )
        allowed = _allowed(properties.get(name, {}), schema.get("$defs", {}))
        try:
            values[name] = _read(given, allowed)
        except ValueError:
            raise InvalidParameters(
                f"{owner}({name}=...): expected {' or '.join(sorted(allowed))}, got {given!r}",
                where=where,
                hint=f"Write it as JSON, for instance -p {name}={_EXAMPLES[min(allowed)]}",
            ) from None
    return values


def _read(text: str, allowed: set[str]) -> Any:
    if "string" in allowed and allowed <= {"string", "null"}:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        if "string" in allowed or not allowed:
            return text
        raise
    if allowed and _TYPES[type(value)] not in _with_integers(allowed):
        if "string" in allowed:
            return text
        raise ValueError(text)
    return value


def _with_integers(allowed: set[str]) -> set[str]:
    return allowed | {"integer"} if "number" in allowed else allowed


def _allowed(schema: Schema, definitions: Schema) -> set[str]:
    """JSON's names of the types that a value may have; empty = any."""
    found: set[str] = set()
    for alternative in _alternatives(schema, definitions):
        if "enum" in alternative or "const" in alternative:
            choices = alternative.get("enum", [alternative.get("const")])
            found |= {_TYPES[type(choice)] for choice in choices}
        elif "type" in alternative:
            kinds = alternative["type"]
            found |= {kinds} if isinstance(kinds, str) else set(kinds)
        else:  # anything; a text default says that text is meant
            return {"string"} if isinstance(schema.get("default"), str) else set()
    return found


def _alternatives(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from _alternatives(definitions.get(name, {}), definitions)
    elif "anyOf" in schema:
        for alternative in schema["anyOf"]:
            yield from _alternatives(alternative, definitions)
    else:
        yield schema
