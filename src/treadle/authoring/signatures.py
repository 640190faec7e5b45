"""The parameters of a function: signature, JSON Schema (2020-12), and the checking of values.

https://json-schema.org/draft/2020-12. Types that JSON does not know are left open, with a
`title` and `x-python-type`.
"""

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from treadle.authoring.plain import is_plain
from treadle.errors import InvalidParameters
from treadle.model.graph import nearest

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EMPTY = inspect.Parameter.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What a function takes."""

    owner: str  #: name of the tool or pipeline, for errors
    signature: inspect.Signature  #: with annotations resolved where they can be
    schema: Mapping[str, Any]

    @classmethod
    def of(cls, function: Callable[..., Any], owner: str) -> "Parameters":
        signature = _resolved(function)
        return cls(owner=owner, signature=signature, schema=_schema(owner, signature))

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, where: str) -> dict[str, Any]:
        """The given arguments by name, without defaults; *args as a tuple, **kwargs as a dict.

        Raises InvalidParameters for a missing, unknown or doubly given one.
        """
        self._refuse_unknown(kwargs, where)
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidParameters(
                f"{self.owner}(): {error}",
                where=where,
                hint=f"It takes: {', '.join(self.signature.parameters) or 'nothing'}.",
            ) from None
        return dict(bound.arguments)

    def check(self, name: str, value: Any, *, where: str) -> Any:
        """The value as the annotation wants it ("a" of an Enum becomes its member).

        Raises InvalidParameters if it does not fit: strictly, so that "3" is no int.
        """
        parameter = self.signature.parameters[name]
        if not _is_known(parameter.annotation):
            return value
        try:
            return msgspec.convert(value, _whole_type(parameter), strict=True, dec_hook=_read)
        except msgspec.ValidationError as error:
            raise InvalidParameters(
                f"{self.owner}({name}=...): {_in_words(error)}",
                where=where,
                hint=self._choices(name) if "Invalid enum value" in str(error) else "",
            ) from None
        except TypeError:  # as in _read, found by msgspec itself
            return value

    def _choices(self, name: str) -> str:
        schema = self.schema["properties"][name]
        schema = self.schema.get("$defs", {}).get(schema.get("$ref", "").rpartition("/")[2], schema)
        return f"Choose {' or '.join(map(repr, schema['enum']))}." if "enum" in schema else ""

    def _refuse_unknown(self, kwargs: dict[str, Any], where: str) -> None:
        parameters = self.signature.parameters
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            return
        for name in kwargs:
            if name not in parameters:
                raise InvalidParameters(
                    f"{self.owner}({name}=...): there is no such parameter.",
                    where=where,
                    hint=nearest(name, parameters)
                    or f"It takes: {', '.join(parameters) or 'nothing'}.",
                )


def _whole_type(parameter: inspect.Parameter) -> Any:
    """The type of the argument: for *args a tuple, for **kwargs a dict of what is annotated."""
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return types.GenericAlias(tuple, (parameter.annotation, ...))
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return types.GenericAlias(dict, (str, parameter.annotation))
    return parameter.annotation


def _in_words(error: msgspec.ValidationError) -> str:
    """ "Expected `int`, got `str` - at `$.a[0]`" as "expected int, got str at .a[0]"."""
    text = str(error).replace("`", "").replace("null", "None")
    text, _, path = text.partition(" - at $")
    text = text[:1].lower() + text[1:].replace("enum value", "value")
    return f"{text} at {path}" if path else text


def _read(kind: Any, value: Any) -> Any:
    """For classes that msgspec does not know: instances as they are, text for a path."""
    try:
        if isinstance(value, kind):
            return value
    except TypeError:  # a Protocol or a generic that isinstance cannot ask
        return value
    if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, Path):
        return kind(value)
    wanted = getattr(kind, "__name__", kind)
    raise msgspec.ValidationError(f"Expected `{wanted}`, got `{type(value).__name__}`")


def _resolved(function: Callable[..., Any]) -> inspect.Signature:
    """The signature with text annotations evaluated; those that cannot be stay text."""
    inner = inspect.unwrap(function)
    names = dict(getattr(inner, "__globals__", {}))
    if isinstance(inner, types.FunctionType):
        names |= inspect.getclosurevars(inner).nonlocals
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_evaluated(parameter.annotation, names))
        for parameter in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters)


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, names, include_extras=True)["it"]
    except (NameError, AttributeError, SyntaxError, TypeError):
        return annotation


def _schema(owner: str, signature: inspect.Signature) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    required = []
    for name, parameter in signature.parameters.items():
        schema, defined = _schema_of_type(parameter.annotation)
        definitions |= defined
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            schema = {"type": "array", "items": schema}
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            schema = {"type": "object", "additionalProperties": schema}
        elif parameter.default is _EMPTY:
            required.append(name)
        else:
            schema |= _default(parameter.default)
        properties[name] = schema
    made: dict[str, Any] = {"$schema": DIALECT, "title": owner, "type": "object"}
    made |= {"properties": properties, "required": required, "additionalProperties": False}
    return made | ({"$defs": definitions} if definitions else {})


def _schema_of_type(annotation: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    if annotation is _EMPTY:
        return {}, {}
    if not _is_known(annotation):
        return _open_schema(annotation), {}
    (schema,), definitions = msgspec.json.schema_components(
        [annotation], schema_hook=_open_schema, ref_template="#/$defs/{name}"
    )
    return dict(schema), dict(definitions)


def _is_known(annotation: Any) -> bool:
    """Whether msgspec can check values of the type."""
    if annotation is _EMPTY:
        return False
    try:
        return _is_known_cached(annotation)
    except TypeError:  # not hashable: Annotated[int, []]
        return False


@functools.lru_cache(maxsize=1024)
def _is_known_cached(annotation: Any) -> bool:
    try:
        msgspec.json.schema_components([annotation], schema_hook=_open_schema)
    except (TypeError, NameError, AttributeError, ValueError):
        # Unions of several classes, unresolved names, classes with broken annotations.
        return False
    return True


def _open_schema(kind: Any) -> dict[str, Any]:
    if isinstance(kind, type) and issubclass(kind, Path):
        return {"type": "string", "format": "path"}
    if isinstance(kind, type):
        return {"title": kind.__name__, "x-python-type": f"{kind.__module__}.{kind.__qualname__}"}
    text = kind if isinstance(kind, str) else re.sub(r" at 0x[0-9a-f]+", "", str(kind))
    return {"title": text.rpartition(".")[2] if "[" not in text else text, "x-python-type": text}


def _default(value: Any) -> dict[str, Any]:
    made = as_json(value)
    return {} if isinstance(made, dict) and "x-python-type" in made else {"default": made}


def as_json(value: Any) -> Any:
    """The value as JSON data: an enum by its value, a dataclass as an object, a path as text.

    What has no such form is told by its type: {"x-python-type": "numpy.ndarray"}.
    """
    try:
        made = msgspec.to_builtins(value, enc_hook=_write, order="deterministic")
    except (TypeError, ValueError, OverflowError, RecursionError):
        made = ...
    if is_plain(made):
        return made
    return {"x-python-type": f"{type(value).__module__}.{type(value).__qualname__}"}


def _write(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")
