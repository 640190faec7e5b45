"""Which values are JSON as they stand: written and read again by anyone, they are the same.

Stricter than the JSON codec in one thing: integers fit 64 bits, as databases and other languages
want them.
"""

from typing import Any

from treadle.codecs import json

_LARGEST = 2**63


def is_plain(value: Any) -> bool:
    """Whether JSON carries the value exactly, types included."""
    return json.is_exact(value) and _is_small(value)


def _is_small(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return bool(-_LARGEST <= value < _LARGEST)
    if kind is list:
        return all(map(_is_small, value))
    return kind is not dict or all(map(_is_small, value.values()))
