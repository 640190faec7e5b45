"""JSON Schema (2020-12) of records and shapes, by their annotations.

What `model.wire` reads and `api.http.encode` writes. Every class becomes a component of its name.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from msgspec import UNSET, Meta, UnsetType

from treadle.model import bindings

Schema = dict[str, Any]
PLACE = "#/components/schemas/"
_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
}
_KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "pattern": "pattern",
    "min_length": "minLength",
    "max_length": "maxLength",
    "description": "description",
}


class Shapes:
    """The components of one document, gathered while schemas are asked for.

    asked: of what callers send: fields with a default may be left out, others than these are
    refused. Else of what is answered: all fields are there, except those that are UNSET, and a
    newer server may add some.
    """

    def __init__(self, components: dict[str, Schema], *, asked: bool) -> None:
        self.components, self._asked = components, asked

    def of(self, kind: Any) -> Schema:
        """Raises TypeError for what has no JSON form."""
        if kind == bindings.Binding:
            return self._binding()
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._named(kind, lambda: {"enum": [each.value for each in kind]})
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            return self._named(kind, functools.partial(self._record, kind))
        if kind in _SCALARS:
            return dict(_SCALARS[kind])
        return self._generic(kind, get_origin(kind), get_args(kind))

    def _generic(self, kind: Any, origin: Any, args: tuple[Any, ...]) -> Schema:
        if origin is typing.Annotated:
            return self.of(args[0]) | _constraints(args[1])
        if origin is Literal:
            return {"enum": list(args)}
        if origin in (typing.Union, types.UnionType):
            return self._one_of(args)
        if origin is tuple and args[-1] is not ...:
            items = [self.of(each) for each in args]
            fixed = {"minItems": len(items), "maxItems": len(items)}
            return {"type": "array", "prefixItems": items} | fixed
        if origin in (tuple, list):
            return {"type": "array", "items": self.of(args[0])}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(args[1])}
        raise TypeError(f"no JSON Schema for {kind!r}")

    def _one_of(self, args: tuple[Any, ...]) -> Schema:
        null = type(None) in args
        kinds = [each for each in args if each not in (type(None), UnsetType)]
        bound = frozenset(kinds) == frozenset(get_args(bindings.Binding))
        found = [self._binding()] if bound else [self.of(each) for each in kinds]
        found += [self.of(type(None))] if null else []
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _named(self, kind: type, make: Callable[[], Schema]) -> Schema:
        name = kind.__name__ + ("Input" if self._asked and dataclasses.is_dataclass(kind) else "")
        if name not in self.components:
            self.components[name] = {}  # a shape may hold itself
            self.components[name] = make()
        return {"$ref": PLACE + name}

    def _record(self, kind: type) -> Schema:
        hints = typing.get_type_hints(kind, include_extras=True)
        fields: tuple[Any, ...] = dataclasses.fields(kind)
        schema: Schema = {
            "type": "object",
            "description": _text(kind),
            "properties": {f.name: self.of(hints[f.name]) for f in fields},
            "required": [f.name for f in fields if self._is_required(f)],
        }
        return schema | ({"additionalProperties": False} if self._asked else {})

    def _is_required(self, field: "dataclasses.Field[Any]") -> bool:
        if not self._asked:
            return field.default is not UNSET
        missing = dataclasses.MISSING
        return field.default is missing and field.default_factory is missing

    def _binding(self) -> Schema:
        """See `model.bindings`."""
        if "Binding" not in self.components:
            self.components["Binding"] = {
                "description": "What an argument is bound to: a tree of values, outputs, blobs.",
                "anyOf": [
                    _array({"const": "value"}, {}),
                    _array({"const": "output"}, {"type": "string"}, {"type": "string"}),
                    _array({"const": "ref"}, {"$ref": PLACE + "RefInput"}),
                    _array({"enum": ["list", "tuple"]}, {"type": "array", "items": _BINDING}),
                    _array({"const": "dict"}, {"type": "object", "additionalProperties": _BINDING}),
                ],
            }
            self.components["RefInput"] = _REF
        return dict(_BINDING)


_BINDING = {"$ref": PLACE + "Binding"}
_REF = {
    "type": "object",
    "description": "Bytes of a value: a blob, or `inline` in base 64, up to 64 KiB.",
    "properties": {
        "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "size_bytes": {"type": "integer", "minimum": 0},
        "media_type": {"type": "string"},
        "codec": {"type": "string"},
        "inline": {"type": "string", "contentEncoding": "base64"},
    },
    "required": ["digest", "size_bytes", "media_type", "codec"],
}


def _array(*items: Schema) -> Schema:
    return {
        "type": "array",
        "prefixItems": list(items),
        "minItems": len(items),
        "maxItems": len(items),
    }


def _constraints(meta: Meta) -> Schema:
    found = {word: getattr(meta, name) for name, word in _KEYWORDS.items()}
    return {word: value for word, value in found.items() if value is not None}


def _text(kind: type) -> str:
    """The docstring, on one line for each paragraph."""
    paragraphs = (kind.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)
