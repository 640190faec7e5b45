"""What a request for bytes wants of them: all, one range, or nothing new (RFC 9110, 13 and 14).

Several ranges at once are answered by all the bytes, as the RFC allows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from treadle.errors import RangeNotSatisfiable

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The bytes from start up to stop, of so many."""

    start: int
    stop: int
    size_bytes: int

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.stop == self.size_bytes

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{self.size_bytes}"


def is_known(headers: Mapping[str, str], etag: str) -> bool:
    """Whether the caller has these bytes: If-None-Match names them."""
    told = headers.get("if-none-match", "").strip()
    return told == "*" or etag in {each.removeprefix("W/") for each in _ETAG.findall(told)}


def wanted(headers: Mapping[str, str], etag: str, size_bytes: int) -> Span | None:
    """The one range that is asked for; None for all the bytes.

    What is no range that we know counts as not said (RFC 9110, 14.2). Raises RangeNotSatisfiable.
    """
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or headers.get("if-range", etag).strip() != etag:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        start, stop = max(0, size_bytes - int(last)), size_bytes
    else:
        start, stop = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return None
    if start >= size_bytes or start == stop:
        raise RangeNotSatisfiable(
            f"There are {size_bytes} bytes; none of them is in the range {first}-{last}.",
            hint="Ranges count from 0, as in `Range: bytes=0-99`.",
            size_bytes=size_bytes,
        )
    return Span(start=start, stop=stop, size_bytes=size_bytes)
