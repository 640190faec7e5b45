"""Names made of what they name: a hash that is the same in every process."""

import dataclasses
import functools
import hashlib
import json
from typing import Any

from treadle.model.records import Tool

_APART = ("code", "execution", "environment")  # frozen records, shared by many tools
_FIELDS = tuple(f.name for f in dataclasses.fields(Tool) if f.name not in ("id", *_APART))


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def hash_of(document: Any) -> str:
    """64 hex digits of JSON-able data."""
    text = _encode(document)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def identified(tool: Tool) -> Tool:
    """The tool with its id, a hash of the whole definition."""
    definition = [getattr(tool, name) for name in _FIELDS]
    definition += [_text_of(getattr(tool, name)) for name in _APART]
    return dataclasses.replace(tool, id=f"tool_{hash_of(definition)[:24]}")


@functools.lru_cache(maxsize=256)
def _text_of(record: Any) -> str:
    return json.dumps(dataclasses.asdict(record))
