"""What a codec makes of a value: named bytes in parts, none copied that need not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple, Union

Part = Union[bytes, memoryview]


class Encoded(NamedTuple):
    """A value as bytes.

    parts: to be concatenated; may be iterated again. They are views of the value's own memory or
    files where possible, so store them before the value changes.
    """

    codec: str
    media_type: str
    parts: Iterable[Part]
    size_bytes: int

    def to_bytes(self) -> bytes:
        """All parts in one; for small values."""
        return b"".join(self.parts)


class Codec(NamedTuple):
    """One way between values and bytes.

    encode: None for a value that would not come back exactly as it is.
    decode: gets the full codec name ("path:report.html") and the folder for what becomes files.
    """

    name: str
    encode: Callable[[Any], Encoded | None]
    decode: Callable[[str, memoryview, Path | None], Any]
