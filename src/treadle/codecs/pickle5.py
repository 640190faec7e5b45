"""Everything else: cloudpickle, protocol 5, with large memory beside the pickle and not inside.

Layout, little-endian, in one file:

    8 bytes    b"TRDLPKL5"
    u64        length of the pickle
    u64        number of buffers n
    n x 3 u64  offset in the file, length, 1 if read-only, of each buffer
    ...        the pickle
    ...        the buffers, each at a multiple of 64 bytes, zeros between

Reading maps the buffers where they lie. Over a copy-on-write mapping they are writable where
they were, and belong to the reader alone.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from treadle.codecs import lazy
from treadle.codecs.encoded import Codec, Encoded, Part
from treadle.errors import CodecError

MEDIA_TYPE = "application/vnd.treadle.pickle5"
_MAGIC = b"TRDLPKL5"
_HEAD = struct.Struct("<8sQQ")
_ROW = struct.Struct("<QQQ")
_ALIGNMENT = 64
_BUILTIN = (bytes, float, int, str, complex)  # need no cloudpickle, whose import takes a while


class _Sink:
    """A file that keeps what is written as it comes: the pickler passes large bytes uncopied."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def write(self, data: Part) -> int:
        self.parts.append(data)
        return len(data)


def encode(value: Any) -> Encoded:
    buffers: list[pickle.PickleBuffer] = []
    try:
        pickled = _pickle(value, buffers)
        views = [buffer.raw() for buffer in buffers]
    except (MemoryError, CodecError):
        raise
    except Exception as error:  # the user's own __reduce__ may raise anything
        raise _cannot_pickle(value, error) from error
    parts = [*_laid_out(pickled, views)]
    return Encoded(
        codec="pickle5",
        media_type=MEDIA_TYPE,
        parts=parts,
        size_bytes=sum(map(len, parts)),
    )


def _pickle(value: Any, buffers: list[pickle.PickleBuffer]) -> list[Part]:
    sink = _Sink()
    plain = any(type(value) is builtin for builtin in _BUILTIN)
    kind = None if plain else lazy.optional("cloudpickle")
    (kind or pickle).Pickler(sink, protocol=5, buffer_callback=buffers.append).dump(value)
    if not plain and kind is None and any(b"__main__" in bytes(part) for part in sink.parts):
        raise CodecError(
            f"a value of type {type(value).__qualname__} belongs to the script itself, and needs "
            "cloudpickle to be stored.",
            hint="Install cloudpickle in the step's environment, move what it is made of into a "
            "module beside the script, or return plain data.",
        )
    return sink.parts


def _laid_out(pickled: list[Part], views: list[memoryview]) -> Iterator[Part]:
    length = sum(map(len, pickled))
    end = _HEAD.size + _ROW.size * len(views) + length
    rows, offset = [], end
    for view in views:
        offset += -offset % _ALIGNMENT
        rows.append((offset, len(view), int(view.readonly)))
        offset += len(view)
    table = b"".join(_ROW.pack(*row) for row in rows)
    yield _HEAD.pack(_MAGIC, length, len(views)) + table
    yield from pickled
    for view, (start, size, _) in zip(views, rows):
        yield bytes(start - end)
        yield view
        end = start + size


def _cannot_pickle(value: Any, error: Exception) -> CodecError:
    kind = type(value)
    reason = f"{type(error).__name__}: {error}".strip().rstrip(".:")
    return CodecError(
        f"a value of type {kind.__module__}.{kind.__qualname__} cannot be stored: {reason}.",
        hint="Return plain data, an array, a table or a pathlib.Path, or give the class a "
        "__reduce__ that leaves out what belongs to one process (locks, files, connections, "
        "generators).",
    )


def decode(_name: str, data: memoryview, _directory: Path | None) -> Any:
    try:
        pickled, views = _taken_apart(data)
    except (struct.error, ValueError) as error:
        raise CodecError(
            f"{len(data)} bytes stored as a pickle cannot be read: {error}.",
            hint="They were not written by Treadle, or are damaged; make the value again.",
        ) from error
    try:
        return pickle.loads(pickled, buffers=views)
    except MemoryError:
        raise
    except Exception as error:  # the user's own __setstate__ may raise anything
        raise CodecError(
            f"a pickled value cannot be read: {type(error).__name__}: {error}.",
            hint="The modules and classes it was made of must be importable where it is read, "
            "in the same version.",
        ) from error


def _taken_apart(data: memoryview) -> tuple[memoryview, list[memoryview]]:
    magic, length, count = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError("another magic number")
    start = _HEAD.size + _ROW.size * count
    rows = list(_ROW.iter_unpack(data[_HEAD.size : start]))
    end = max([start + length, *(offset + size for offset, size, _ in rows)])
    if end != len(data) or len(rows) != count:
        raise ValueError(f"{end} bytes expected")
    if data.readonly and not all(readonly for *_, readonly in rows):
        data = memoryview(bytearray(data))  # the value must own what it may change
    views = [data[offset : offset + size] for offset, size, _ in rows]
    return data[start : start + length], [
        view.toreadonly() if row[2] else view for view, row in zip(views, rows)
    ]


CODEC = Codec(name="pickle5", encode=encode, decode=decode)
