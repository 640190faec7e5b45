"""The options of a tool as users write them ("1GB", "10m"), and the Execution they come to."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, TypedDict

from treadle.errors import InvalidDefinition
from treadle.model.graph import nearest
from treadle.model.quantities import duration, size_bytes
from treadle.model.records import Execution, FailureType

Duration = float | str | timedelta  #: seconds, "90s", "10m", "1h30m", or a timedelta


class ExecutionOptions(TypedDict, total=False):
    """What a tool or a step asks for; what is not given stays as it was."""

    cpus: float
    memory: int | str  #: bytes, or "512MB", "1.5GB", "2GiB"
    gpus: int
    timeout: Duration | None
    retries: int
    backoff: Duration  #: before the first retry; doubles with each
    retry_on: str | Iterable[str]  #: failure types: "user", "crashed", "memory", "timeout"
    on_lost: Literal["requeue", "fail"]
    grace: Duration  #: between SIGTERM and SIGKILL


class SurroundingOptions(TypedDict, total=False):
    """What the process of a tool finds around it."""

    env: Mapping[str, str]  #: environment variables; those whose names look secret stay so
    environment: str | Mapping[str, Any]  #: interpreter and packages: see docs/how-to/environments


class CommandOptions(ExecutionOptions, SurroundingOptions, total=False):
    """All that treadle.command takes besides what to run."""

    name: str
    outputs: Iterable[str] | Mapping[str, str]  #: names, or name -> file to write


class ScriptOptions(CommandOptions, total=False):
    """All that treadle.script takes besides the script."""

    args: Iterable[str]


class ToolOptions(ExecutionOptions, SurroundingOptions, total=False):
    """All that @tool takes."""

    name: str
    version: str  #: a label, shown before the hash of the definition
    outputs: Iterable[str]


def execution_from(
    base: Execution, options: Mapping[str, Any], *, owner: str, where: str
) -> Execution:
    """The base with the given ExecutionOptions; owner: "tool 'train'", for errors.

    Raises InvalidDefinition for an unknown option or a value that cannot be meant.
    """
    changes: dict[str, Any] = {}
    for name, value in options.items():
        if name not in _READERS:
            raise InvalidDefinition(
                f"{owner}: there is no option {name!r}", where=where, hint=nearest(name, _READERS)
            )
        field, read = _READERS[name]
        try:
            changes[field] = read(value)
        except (ValueError, TypeError) as error:
            raise InvalidDefinition(f"{owner}: {name}={value!r}: {error}", where=where) from None
    return replace(base, **changes)


def memory_bytes(value: int | str | None) -> int | None:
    """Bytes: "1GB" is 10**9, "1GiB" is 2**30."""
    if value is None:
        return None
    return _whole(size_bytes(value) if isinstance(value, str) else value, least=1)


def seconds(value: Duration) -> float:
    """Seconds of a number, a timedelta, or a text such as "90s" or "1h30m"."""
    if isinstance(value, str):
        value = duration(value)
    return _number(value.total_seconds() if isinstance(value, timedelta) else value)


def _timeout(value: Duration | None) -> float | None:
    return None if value is None else _positive(seconds(value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {type(value).__name__}")
    if not math.isfinite(value) or value < 0:
        raise ValueError("expected a finite number that is not negative")
    return float(value)


def _positive(value: Any) -> float:
    if _number(value) == 0:
        raise ValueError("expected more than 0")
    return float(value)


def _whole(value: Any, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"expected a whole number, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"expected at least {least}")
    return value


def _failure_types(value: str | Iterable[str]) -> tuple[FailureType, ...]:
    names = [value] if isinstance(value, str) else list(value)
    unknown = [name for name in names if name not in set(FailureType)]
    if unknown:
        raise ValueError(f"expected failure types: {', '.join(FailureType)}")
    return tuple(FailureType(name) for name in names)


def _on_lost(value: str) -> str:
    if value not in ("requeue", "fail"):
        raise ValueError('expected "requeue" or "fail"')
    return value


_READERS: dict[str, tuple[str, Any]] = {
    "cpus": ("cpus", _number),
    "memory": ("memory_bytes", memory_bytes),
    "gpus": ("gpus", _whole),
    "timeout": ("timeout_seconds", _timeout),
    "retries": ("retries", _whole),
    "backoff": ("backoff_seconds", seconds),
    "retry_on": ("retry_on", _failure_types),
    "on_lost": ("on_lost", _on_lost),
    "grace": ("grace_seconds", seconds),
}
