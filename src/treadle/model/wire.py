"""Records as JSON-able dicts and back, by their annotations.

datetime <-> ISO 8601 with offset, enums <-> their values, bindings <-> `bindings.to_wire`.
Fields left out take their default; unknown fields are refused, so that a misspelt one is noticed.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin

from treadle.errors import InvalidRequest
from treadle.model import bindings
from treadle.model.graph import nearest
from treadle.model.refs import Ref

R = TypeVar("R")
Reader = Callable[[Any, str], Any]  #: (wire value, where in the document) -> value


def to_wire(value: Any) -> Any:
    """A record, or anything made of records, as JSON-able data."""
    if isinstance(value, bindings.Value | bindings.Output | bindings.Stored):
        return bindings.to_wire(value)
    if isinstance(value, bindings.Items | bindings.Entries):
        return bindings.to_wire(value)
    if isinstance(value, Ref):
        return value.to_wire()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_wire(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, Mapping):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_wire(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return value


def from_wire(kind: type[R], wire: Any, where: str = "") -> R:
    """Read a record of the given class.

    Raises InvalidRequest, naming the place, for a missing, unknown or ill-typed field.
    """
    as_any: Any = kind
    result: R = _reader(as_any)(wire, where or kind.__name__)
    return result


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind))


@functools.cache
def _reader(kind: Any) -> Reader:
    if kind == bindings.Binding:
        return lambda wire, where: bindings.from_wire(wire)
    if kind is Any:
        return lambda wire, where: wire
    if kind is Ref:
        return _read_ref
    if kind is datetime:
        return _read_datetime
    if kind in (str, int, float, bool, type(None)):
        return functools.partial(_read_scalar, kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return functools.partial(_read_enum, kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return functools.partial(_read_record, kind)
    return _generic_reader(kind)


def _generic_reader(kind: Any) -> Reader:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return functools.partial(_read_optional, args)
    if origin is Literal:
        return functools.partial(_read_literal, args)
    if origin is tuple:
        return functools.partial(_read_tuple, args[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return functools.partial(_read_mapping, args[1])
    raise TypeError(f"no JSON form for {kind!r}")


def _wrong(where: str, wanted: str, wire: Any) -> InvalidRequest:
    return InvalidRequest(f"{where}: expected {wanted}, got {str(wire)[:60]!r}.")


def _read_scalar(kind: type, wire: Any, where: str) -> Any:
    if kind is float and type(wire) is int:
        return float(wire)
    if type(wire) is not kind:
        raise _wrong(where, kind.__name__, wire)
    return wire


def _read_datetime(wire: Any, where: str) -> datetime:
    try:
        return datetime.fromisoformat(wire)
    except (TypeError, ValueError):
        raise _wrong(where, "an ISO 8601 time", wire) from None


def _read_enum(kind: type[Enum], wire: Any, where: str) -> Enum:
    try:
        return kind(wire)
    except ValueError:
        raise _wrong(where, f"one of {', '.join(e.value for e in kind)}", wire) from None


def _read_ref(wire: Any, where: str) -> Ref:
    try:
        return Ref.from_wire(wire)
    except (TypeError, KeyError, ValueError):
        raise _wrong(where, "a reference (digest, size_bytes, media_type, codec)", wire) from None


def _read_literal(choices: tuple[Any, ...], wire: Any, where: str) -> Any:
    if wire not in choices:
        raise _wrong(where, f"one of {', '.join(map(str, choices))}", wire)
    return wire


def _read_optional(kinds: tuple[Any, ...], wire: Any, where: str) -> Any:
    if wire is None and type(None) in kinds:
        return None
    rest = [kind for kind in kinds if kind is not type(None)]
    if len(rest) == 1:
        return _reader(rest[0])(wire, where)
    return _reader(bindings.Binding)(wire, where)  # the only union of several kinds in the model


def _read_tuple(item: Any, wire: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(wire, list | tuple):
        raise _wrong(where, "a list", wire)
    read = _reader(item)
    return tuple(read(each, f"{where}[{i}]") for i, each in enumerate(wire))


def _read_mapping(item: Any, wire: Any, where: str) -> dict[str, Any]:
    if not isinstance(wire, dict):
        raise _wrong(where, "an object", wire)
    read = _reader(item)
    return {str(key): read(each, f"{where}.{key}") for key, each in wire.items()}


@functools.cache
def _fields(kind: type) -> dict[str, tuple[Reader, bool]]:
    hints = typing.get_type_hints(kind)
    return {
        f.name: (
            _reader(hints[f.name]),
            f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
        )
        for f in dataclasses.fields(kind)
    }


def _read_record(kind: type, wire: Any, where: str) -> Any:
    if not isinstance(wire, dict):
        raise _wrong(where, "an object", wire)
    fields = _fields(kind)
    for name in wire:
        if name not in fields:
            hint = nearest(str(name), fields)
            raise InvalidRequest(f"{where}: unknown field {name!r}.", hint=hint)
    values = {}
    for name, (read, required) in fields.items():
        if name in wire:
            values[name] = read(wire[name], f"{where}.{name}")
        elif required:
            raise InvalidRequest(f"{where}: field {name!r} is missing.")
    return kind(**values)
