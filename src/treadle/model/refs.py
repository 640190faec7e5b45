"""A Ref names immutable bytes: digest, size, media type, codec; small ones travel inside it."""

import base64
import re
from dataclasses import dataclass
from typing import Any

INLINE_LIMIT_BYTES = 64 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Bytes of a value, addressed by content.

    digest: BLAKE3, 64 hex digits. codec: which codec of `treadle.codecs` reads it back.
    inline: the bytes themselves when they are at most INLINE_LIMIT_BYTES; else they are a blob.
    """

    digest: str
    size_bytes: int
    media_type: str
    codec: str
    inline: bytes | None = None

    def to_wire(self) -> dict[str, Any]:
        """JSON form; `inline` in base 64."""
        wire: dict[str, Any] = {
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "media_type": self.media_type,
            "codec": self.codec,
        }
        if self.inline is not None:
            wire["inline"] = base64.b64encode(self.inline).decode("ascii")
        return wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "Ref":
        """Raises ValueError for what is none."""
        texts = [wire.get(name) for name in ("digest", "media_type", "codec")]
        size_bytes, inline = wire.get("size_bytes"), wire.get("inline")
        if not all(isinstance(text, str) for text in texts) or not _DIGEST.fullmatch(
            texts[0] or ""
        ):
            raise ValueError("digest, media_type and codec are texts; digest has 64 hex digits")
        if type(size_bytes) is not int or not 0 <= size_bytes < 2**63:
            raise ValueError("size_bytes is a whole number")
        return cls(
            digest=wire["digest"],
            size_bytes=size_bytes,
            media_type=wire["media_type"],
            codec=wire["codec"],
            inline=None if inline is None else base64.b64decode(inline, validate=True),
        )
