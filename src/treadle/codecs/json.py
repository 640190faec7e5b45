"""Plain values as JSON, in UTF-8, readable in any language.

Used for values made only of dict with str keys, list, str, int, finite float, bool and None,
each of exactly that type. Left to pickle, because JSON or a reader would change or refuse them:
subclasses, NaN and infinity, lone surrogates, integers so long that an interpreter may refuse to
read them, values nested deeper than any reader's stack, and a list or dict that occurs twice in
the value (it would come back as two).
"""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

from treadle.codecs.encoded import Codec, Encoded
from treadle.errors import CodecError

MEDIA_TYPE = "application/json"
_DEPTH_LIMIT = 100
_INT_BITS_LIMIT = 2048  # 617 digits; sys.set_int_max_str_digits takes no limit below 640
_SIMPLE = {id(str), id(bool), id(type(None))}  # ids: a metaclass may make types unhashable
_ALLOWED = _SIMPLE | {id(int), id(float), id(list), id(dict)}
_write = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


def encode(value: Any) -> Encoded | None:
    kind = type(value)
    if kind is int:
        text = str(value) if value.bit_length() <= _INT_BITS_LIMIT else None
    elif value is None:
        text = "null"
    elif kind is bool:
        text = "true" if value else "false"
    elif kind is float:
        text = repr(value) if isfinite(value) else None
    elif kind is str or ((kind is dict or kind is list) and _is_exact([value], set(), 0)):
        text = _write(value)
    else:
        text = None
    return None if text is None else _encoded(text)


def _encoded(text: str) -> Encoded | None:
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return Encoded(codec="json", media_type=MEDIA_TYPE, parts=(data,), size_bytes=len(data))


def _is_exact(values: Any, seen: set[int], depth: int) -> bool:
    """Whether all values are plain; seen: ids of the containers met so far, for shared ones."""
    kinds = set(map(id, map(type, values)))
    if not kinds <= _ALLOWED or depth > _DEPTH_LIMIT:
        return False
    if kinds <= _SIMPLE:
        return True
    return all(_is_exact_one(value, seen, depth) for value in values)


def _is_exact_one(value: Any, seen: set[int], depth: int) -> bool:
    kind = type(value)
    if kind is int:
        return bool(value.bit_length() <= _INT_BITS_LIMIT)
    if kind is float:
        return isfinite(value)
    if kind is not list and kind is not dict:
        return True
    if id(value) in seen:
        return False
    seen.add(id(value))
    if kind is list:
        return _is_exact(value, seen, depth + 1)
    return all(type(key) is str for key in value) and _is_exact(value.values(), seen, depth + 1)


def decode(_name: str, data: memoryview, _directory: Path | None) -> Any:
    try:
        return json.loads(str(data, "utf-8"))
    except ValueError as error:
        raise CodecError(
            f"{len(data)} bytes stored as JSON cannot be read: {error}.",
            hint="They were not written by Treadle, or are damaged; make the value again.",
        ) from error


def is_exact(value: Any) -> bool:
    """Whether JSON would bring the value back exactly as it is."""
    return encode(value) is not None


CODEC = Codec(name="json", encode=encode, decode=decode)
