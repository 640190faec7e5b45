"""Length-prefixed JSON frames between the owner and a slot. Standard library only.

Down: one order. Up, an array whose first element is the kind:
["s", pid] started; ["m", name, value, step] metric; ["p", done, total] progress;
["e", report, reason to retire the slot or "", resident bytes] ended.
A float that JSON has no number for travels as its name ("nan", "inf", "-inf").
"""

import json
import math
import struct
from typing import Any

_LENGTH = struct.Struct(">I")
LIMIT_BYTES = 256 * 1024 * 1024
LINE_LOST = 96  #: exit code of a slot whose line the job's code has closed
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False).encode


def pack(payload: bytes) -> bytes:
    """The payload with its length before it."""
    return _LENGTH.pack(len(payload)) + payload


def encode(message: Any) -> bytes:
    """A frame from JSON-able data."""
    return pack(_encode(message).encode("ascii"))


def number(value: float) -> float | str:
    """The number as JSON can carry it."""
    return value if math.isfinite(value) else repr(value)


class Frames:
    """Cuts a stream of bytes into the payloads of whole frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete with this data.

        Raises ValueError for a length that no honest peer sends.
        """
        buffer = self._buffer + data if self._buffer else data
        payloads, start = [], 0
        while len(buffer) - start >= 4:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > LIMIT_BYTES:
                raise ValueError(f"a frame of {length} bytes")
            if len(buffer) - start - 4 < length:
                break
            payloads.append(buffer[start + 4 : start + 4 + length])
            start += 4 + length
        self._buffer = buffer[start:]
        return payloads
