"""Values in a pipeline's calls as bindings: handles, plain values, constants stored as bytes."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from blake3 import blake3

from treadle import codecs
from treadle.authoring.handles import StepResult, check_belongs
from treadle.authoring.plain import is_plain
from treadle.codecs import json
from treadle.errors import InvalidDefinition
from treadle.model.bindings import Binding, Entries, Items, Output, Stored, Value
from treadle.model.refs import INLINE_LIMIT_BYTES, Ref

Pickling = Callable[[], AbstractContextManager[Any]]  #: around the encoding of a constant


class Constants:
    """Makes the bindings of one trace, and collects the blobs that they need."""

    def __init__(self, *, trace: object, pipeline: str) -> None:
        self.blobs: dict[str, bytes] = {}
        self._trace, self._pipeline = trace, pipeline

    def bind(
        self, value: Any, what: str, where: str, pickling: Pickling = contextlib.nullcontext
    ) -> Binding:
        """The binding of a value. what: "argument 'data' of step 'train'", for errors.

        Raises InvalidDefinition for a handle of another trace or hidden inside an object, and
        for a value that cannot be encoded.
        """
        if isinstance(value, StepResult):
            check_belongs(value, self._trace, self._pipeline)
            return Output(value.step, value.output)
        if contains_handle(value):
            if isinstance(value, dict):
                return Entries({k: self.bind(v, what, where, pickling) for k, v in value.items()})
            items = tuple(self.bind(item, what, where, pickling) for item in value)
            return Items("list" if isinstance(value, list) else "tuple", items)
        if _is_small(value):
            return Value(value)
        if type(value) is tuple and _is_small(list(value)):
            return Items("tuple", tuple(map(Value, value)))
        return Stored(self._stored(value, what, where, pickling))

    def _stored(self, value: Any, what: str, where: str, pickling: Pickling) -> Ref:
        try:
            with pickling():
                encoded = codecs.encode(value)
                data = b"".join(encoded.parts)
        except InvalidDefinition:  # a handle inside says so itself
            raise
        except Exception as error:
            # Pickling runs the value's own code, which may raise anything.
            raise InvalidDefinition(
                f"{what} cannot be stored: {error}",
                where=where,
                hint="Make it inside a tool instead.",
            ) from error
        ref = Ref(
            digest=blake3(data).hexdigest(),
            size_bytes=len(data),
            media_type=encoded.media_type,
            codec=encoded.codec,
            inline=data if len(data) <= INLINE_LIMIT_BYTES else None,
        )
        if ref.inline is None:
            self.blobs[ref.digest] = data
        return ref


def _is_small(value: Any) -> bool:
    """Whether the value may stand in a definition as it is: plain, and 64 KiB at most."""
    encoded = json.encode(value) if is_plain(value) else None
    return encoded is not None and encoded.size_bytes <= INLINE_LIMIT_BYTES


def contains_handle(value: Any) -> bool:
    """Whether a handle is in the value's lists, tuples and dicts with text keys."""
    if isinstance(value, StepResult):
        return True
    kind = type(value)
    if kind is list or kind is tuple or (isinstance(value, tuple) and is_outputs(value)):
        return any(map(contains_handle, value))
    return (
        kind is dict
        and all(type(k) is str for k in value)
        and any(map(contains_handle, value.values()))
    )


def is_outputs(value: tuple[Any, ...]) -> bool:
    """Whether it is the named tuple of a tool's several results."""
    return hasattr(value, "_fields") and all(isinstance(item, StepResult) for item in value)
