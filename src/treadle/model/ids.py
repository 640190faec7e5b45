"""Ids that sort by time and carry their kind: `run_01k9x3m2qa7f3k2m9d`.

Ten characters of milliseconds since 1970 and eight of chance, in Crockford's base 32
(https://www.crockford.com/base32.html) in lower case. Within a process ids strictly grow, also
when the clock is set back.
"""

import os
import threading
import time
from datetime import datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CHANCE_BITS = 40
_lock = threading.Lock()
_last = 0


def new_id(kind: str, *, now_ms: int | None = None) -> str:
    """Return a new id such as `job_...`; kind is a short lower-case word."""
    global _last
    fresh = (now_ms if now_ms is not None else time.time_ns() // 1_000_000) << _CHANCE_BITS
    fresh |= int.from_bytes(os.urandom(_CHANCE_BITS // 8))
    with _lock:
        if fresh <= _last:  # same millisecond, or the clock was set back
            fresh = _last + 1 + int.from_bytes(os.urandom(2))
        _last = fresh
    return f"{kind}_{_base32(fresh, 18)}"


def kind_of(identifier: str) -> str:
    """The kind prefix: kind_of("run_01k...") == "run"."""
    return identifier.partition("_")[0]


def first_at(kind: str, moment: datetime) -> str:
    """What sorts before every id made at that moment or later (to the millisecond), and behind
    every earlier one."""
    made_ms = int(moment.timestamp() * 1000)
    return f"{kind}_{_base32(min(max(made_ms, 0), (1 << 50) - 1), 10)}"


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        digits.append(ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(digits))
