"""What a codec makes of a value: named bytes in parts, none copied that need not be."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Part = bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One way between values and bytes.

    encode: None for a value that would not come back exactly as it is.
    decode: gets the full codec name ("path:report.html") and the folder for what becomes files.
    """

    name: str
    encode: Callable[[Any], Encoded | None]
    decode: Callable[[str, memoryview, Path | None], Any]
