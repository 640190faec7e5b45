"""The options of a tool as users write them ("1GB", "10m"), and the Execution they come to."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, TypedDict

from treadle.errors import InvalidDefinition
from treadle.model.graph import nearest
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


class ToolOptions(ExecutionOptions, total=False):
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


_MEMORY = re.compile(r"([0-9]*\.?[0-9]+)\s*([kmgtp]?i?b?)", re.IGNORECASE)
_PREFIXES = "kmgtp"


def memory_bytes(value: int | str | None) -> int | None:
    """Bytes: "1GB" is 10**9, "1GiB" is 2**30."""
    if value is None:
        return None
    if isinstance(value, str):
        match = _MEMORY.fullmatch(value.strip())
        if match is None:
            raise ValueError('expected bytes or a text such as "512MB" or "2GiB"')
        unit = match[2].lower().rstrip("b")
        base = 1024 if unit.endswith("i") else 1000
        power = _PREFIXES.index(unit[0]) + 1 if unit else 0
        value = round(float(match[1]) * base**power)
    return _whole(value, least=1)


_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]*\.?[0-9]+)\s*(ms|s|m|h|d)\s*", re.IGNORECASE)


def seconds(value: Duration) -> float:
    """Seconds of a number, a timedelta, or a text such as "90s" or "1h30m"."""
    if isinstance(value, timedelta):
        return _number(value.total_seconds())
    if isinstance(value, str):
        parts = _DURATION.findall(value)
        if not parts or _DURATION.sub("", value).strip():
            raise ValueError('expected seconds or a text such as "90s", "10m" or "1h30m"')
        return _number(sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts))
    return _number(value)


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
