"""What a step's argument is bound to: a tree of literals, results of steps, and stored values.

On the wire a binding is a small JSON array, its first element the kind:
["value", json], ["output", step, name], ["ref", ref], ["list", [...]], ["tuple", [...]],
["dict", {key: binding}].
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from treadle.errors import InvalidDefinition
from treadle.model.refs import Ref

DEFAULT_OUTPUT = "result"


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value, as it stands."""

    value: Any


@dataclass(frozen=True, slots=True)
class Output:
    """The named output of another step of the same run."""

    step: str
    name: str = DEFAULT_OUTPUT


@dataclass(frozen=True, slots=True)
class Stored:
    """A constant that is no JSON, or a result already made: bytes by digest."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Items:
    """A list or tuple in which at least one element is not a plain value."""

    kind: Literal["list", "tuple"]
    items: tuple["Binding", ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A dict with str keys in which at least one value is not a plain value."""

    entries: Mapping[str, "Binding"]


Binding = Value | Output | Stored | Items | Entries
Arguments = Mapping[str, Binding]  #: parameter name -> binding


def leaves(binding: Binding) -> Iterator[Value | Output | Stored]:
    """Every leaf, in order."""
    if isinstance(binding, Items):
        for item in binding.items:
            yield from leaves(item)
    elif isinstance(binding, Entries):
        for item in binding.entries.values():
            yield from leaves(item)
    else:
        yield binding


def replace_outputs(binding: Binding, stored: Callable[[Output], Binding]) -> Binding:
    """The same tree with each Output replaced by stored(output)."""
    if isinstance(binding, Output):
        return stored(binding)
    if isinstance(binding, Items):
        return Items(binding.kind, tuple(replace_outputs(i, stored) for i in binding.items))
    if isinstance(binding, Entries):
        return Entries({k: replace_outputs(v, stored) for k, v in binding.entries.items()})
    return binding


def to_wire(binding: Binding) -> list[Any]:
    if isinstance(binding, Value):
        return ["value", binding.value]
    if isinstance(binding, Output):
        return ["output", binding.step, binding.name]
    if isinstance(binding, Stored):
        return ["ref", binding.ref.to_wire()]
    if isinstance(binding, Items):
        return [binding.kind, [to_wire(i) for i in binding.items]]
    return ["dict", {k: to_wire(v) for k, v in binding.entries.items()}]


def from_wire(wire: Any) -> Binding:
    """Read a binding.

    Raises InvalidDefinition if the shape is none of the six.
    """
    match wire:
        case ["value", value]:
            return Value(value)
        case ["output", str(step), str(name)]:
            return Output(step, name)
        case ["ref", dict(ref)]:
            return Stored(_ref(ref))
        case ["list" | "tuple" as kind, list(items)]:
            return Items("list" if kind == "list" else "tuple", tuple(map(from_wire, items)))
        case ["dict", dict(entries)]:
            return Entries({str(k): from_wire(v) for k, v in entries.items()})
    raise InvalidDefinition(f"a binding cannot have the form {str(wire)[:80]!r}")


def _ref(wire: dict[str, Any]) -> Ref:
    try:
        return Ref.from_wire(wire)
    except (TypeError, ValueError) as error:
        raise InvalidDefinition(f"a reference in a binding makes no sense: {error}") from None
