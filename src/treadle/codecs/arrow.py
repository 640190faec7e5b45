"""Tables as Arrow IPC streams: pyarrow, Polars and pandas, each coming back as what it was.

https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format. The codec's name says
whose table it is ("arrow", "arrow.polars", "arrow.pandas"); any Arrow reader reads all three.
A pyarrow table lies on the mapped memory; pandas and Polars copy it into blocks of their own.

Exactness is decided on an empty table of the same shape, sent there and back, and for pandas on a
list of column types whose values Arrow keeps. What is on no list, such as object columns,
MultiIndex, a DatetimeIndex with a frequency, or attrs that are not plain, is left to pickle.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from treadle.codecs import json, lazy
from treadle.codecs.encoded import Codec, Encoded, Part
from treadle.errors import CodecError

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
_PANDAS_TYPES = {
    "ArrowDtype",
    "BooleanDtype",
    "CategoricalDtype",
    "DatetimeTZDtype",
    "StringDtype",
    *(f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64)),
}


class _Sink:
    """A file that keeps what is written: column buffers come as they are, uncopied."""

    closed = False

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def write(self, data: Any) -> int:
        self.parts.append(memoryview(data).cast("B"))
        return len(self.parts[-1])

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _encoded(name: str, parts: list[Part]) -> Encoded:
    return Encoded(codec=name, media_type=MEDIA_TYPE, parts=parts, size_bytes=sum(map(len, parts)))


def _reading(name: str, data: memoryview, read: Callable[[], Any], errors: Any) -> Any:
    try:
        return read()
    except errors as error:
        raise CodecError(
            f"{len(data)} bytes stored as {name} cannot be read: {error}.",
            hint="They were not written by Treadle, or are damaged; make the value again.",
        ) from error


# pyarrow


def encode_arrow(table: Any) -> Encoded | None:
    if not lazy.is_exactly(table, "pyarrow", "Table"):
        return None
    pyarrow = lazy.needed("pyarrow", "arrow")
    if not table.num_columns or any(_has_extension(field.type, pyarrow) for field in table.schema):
        return None
    try:
        return _encoded("arrow", _arrow_parts(table, pyarrow))
    except (pyarrow.ArrowException, ValueError):
        return None


def _has_extension(kind: Any, pyarrow: Any) -> bool:
    """Extension types come back only where they are registered."""
    if isinstance(kind, pyarrow.BaseExtensionType):
        return True
    if isinstance(kind, pyarrow.DictionaryType):
        return _has_extension(kind.value_type, pyarrow)
    return any(_has_extension(kind.field(i).type, pyarrow) for i in range(kind.num_fields))


def _arrow_parts(table: Any, pyarrow: Any) -> list[Part]:
    ipc = lazy.needed("pyarrow.ipc", "arrow")
    sink = _Sink()
    with ipc.new_stream(pyarrow.PythonFile(sink, mode="w"), table.schema) as writer:
        writer.write_table(table)
    return sink.parts


def decode_arrow(name: str, data: memoryview, _directory: Path | None) -> Any:
    pyarrow = lazy.needed("pyarrow", name)
    ipc = lazy.needed("pyarrow.ipc", name)
    errors = (pyarrow.ArrowException, OSError)
    return _reading(name, data, lambda: ipc.open_stream(pyarrow.py_buffer(data)).read_all(), errors)


# Polars


def encode_polars(frame: Any) -> Encoded | None:
    if not lazy.is_exactly(frame, "polars", "DataFrame") or not frame.width:
        return None
    polars = lazy.needed("polars", "arrow.polars")
    try:
        if _from_polars(_polars_parts(frame.clear()), polars).schema != frame.schema:
            return None
        return _encoded("arrow.polars", _polars_parts(frame))
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, TypeError):
        return None


def _polars_parts(frame: Any) -> list[Part]:
    sink = _Sink()
    frame.write_ipc_stream(sink)
    return sink.parts


def _from_polars(parts: list[Part], polars: Any) -> Any:
    return polars.read_ipc_stream(b"".join(parts))


def decode_polars(name: str, data: memoryview, _directory: Path | None) -> Any:
    polars = lazy.needed("polars", name)
    errors = (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError)
    return _reading(name, data, lambda: polars.read_ipc_stream(io.BytesIO(data)), errors)


# pandas


def encode_pandas(frame: Any) -> Encoded | None:
    if not lazy.is_exactly(frame, "pandas", "DataFrame"):
        return None
    pyarrow = lazy.optional("pyarrow")
    if pyarrow is None or not _is_faithful(frame):
        return None
    try:
        empty = frame.iloc[:0]
        if not _is_same_shape(empty, pyarrow.Table.from_pandas(empty).to_pandas()):
            return None
        table = pyarrow.Table.from_pandas(frame)
        return _encoded("arrow.pandas", _arrow_parts(table, pyarrow))
    except (pyarrow.ArrowException, ValueError, TypeError, KeyError, OverflowError):
        return None


def _is_faithful(frame: Any) -> bool:
    """Whether Arrow keeps every value of the frame, its index and its attrs."""
    index = frame.index
    return bool(
        frame.shape[1]
        and index.nlevels == frame.columns.nlevels == 1
        and getattr(index, "freq", None) is None
        and frame.flags.allows_duplicate_labels
        and all(type(name) is str for name in frame.columns)
        and all(name is None or type(name) is str for name in (index.name, frame.columns.name))
        and json.is_exact(frame.attrs)
        and all(_is_faithful_type(dtype) for dtype in [*frame.dtypes, index.dtype])
    )


def _is_faithful_type(dtype: Any) -> bool:
    kind = type(dtype)
    if kind.__module__.partition(".")[0] != "pandas":
        return getattr(dtype, "kind", "O") in "biufmM"
    if kind.__name__ == "CategoricalDtype":
        return _is_faithful_type(dtype.categories.dtype)
    return kind.__name__ in _PANDAS_TYPES


def _is_same_shape(frame: Any, restored: Any) -> bool:
    return bool(
        type(restored) is type(frame)
        and restored.attrs == frame.attrs
        and _index_traits(restored.columns) == _index_traits(frame.columns)
        and [(type(name), name) for name in restored.columns]
        == [(type(name), name) for name in frame.columns]
        and _index_traits(restored.index) == _index_traits(frame.index)
        and [_dtype_traits(d) for d in restored.dtypes] == [_dtype_traits(d) for d in frame.dtypes]
    )


def _index_traits(index: Any) -> Any:
    return (type(index), _dtype_traits(index.dtype), type(index.name), index.name)


def _dtype_traits(dtype: Any) -> Any:
    """What must be equal of two column types, also where == is lenient (time zones, categories)."""
    categories = getattr(dtype, "categories", None)
    return (
        type(dtype),
        dtype,
        type(getattr(dtype, "tz", None)),
        None if categories is None else (*_index_traits(categories), list(categories)),
    )


def decode_pandas(name: str, data: memoryview, directory: Path | None) -> Any:
    lazy.needed("pandas", name)
    return decode_arrow(name, data, directory).to_pandas()


CODECS = (
    Codec(name="arrow", encode=encode_arrow, decode=decode_arrow),
    Codec(name="arrow.polars", encode=encode_polars, decode=decode_polars),
    Codec(name="arrow.pandas", encode=encode_pandas, decode=decode_pandas),
)
