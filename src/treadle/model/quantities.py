"""Sizes ("64MB"), durations ("10m") and switches, as people write them."""

import re
from datetime import timedelta

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_BINARY = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}
_SIZE = re.compile(r"^(\d*\.?\d+)\s*([kmgtp]?)(i?)b?$", re.IGNORECASE)
_SPANS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d*\.?\d+)\s*(ms|[smhdw]?)\s*")


def size_bytes(text: str | int) -> int:
    """Bytes of "64MB" (10^6), "64MiB" (2^20), "64M" or a plain number.

    Raises ValueError.
    """
    match = _SIZE.match(str(text).strip())
    if match is None or isinstance(text, bool):
        raise ValueError(f"{text!r} is no size; write it like 64MB or 1.5GiB")
    number, unit, binary = match.groups()
    factor = _BINARY[unit.lower()] if binary and unit else _UNITS[unit.lower()]
    return int(float(number) * factor)


def duration(text: str | float) -> timedelta:
    """The time span of "10m", "1h30m", "250ms" or a plain number of seconds.

    Raises ValueError.
    """
    stripped = str(text).strip().lower()
    parts = _DURATION.findall(stripped)
    if not parts or _DURATION.sub("", stripped) or isinstance(text, bool):
        raise ValueError(f"{text!r} is no duration; write it like 30s, 10m or 1h30m")
    return timedelta(seconds=sum(float(number) * _SPANS[unit] for number, unit in parts))


def size_text(size: int) -> str:
    """The shortest exact form: 64000000 -> "64MB", 67108864 -> "64MiB"."""
    for factors, mark in ((_UNITS, "B"), (_BINARY, "iB")):
        for unit in ("t", "g", "m", "k"):
            if size and size % factors[unit] == 0:
                return f"{size // factors[unit]}{unit.upper()}{mark}"
    return f"{size}B"


def duration_text(span: timedelta) -> str:
    """The shortest exact form: 600 s -> "10m"."""
    seconds = span.total_seconds()
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SPANS[unit] == 0:
            return f"{int(seconds // _SPANS[unit])}{unit}"
    return f"{seconds:g}s"
