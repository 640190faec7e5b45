"""NumPy arrays as .npy files (format 1.0), mapped back without a copy.

https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html: the header is padded so
that the data starts at a multiple of 64 bytes. Whether an array was writable is not kept: it
comes back writable, over memory of its own.
"""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path
from typing import Any

from treadle.codecs import lazy
from treadle.codecs.encoded import Codec, Encoded, Part
from treadle.errors import CodecError

MEDIA_TYPE = "application/x-npy"
_PREFIX = struct.Struct("<6s2BH")  # magic, version 1.0, length of the header


def encode(value: Any) -> Encoded | None:
    if not lazy.is_exactly(value, "numpy", "ndarray"):
        return None
    numpy_format = lazy.needed("numpy.lib.format", "npy")
    if not _is_exact(value.dtype, numpy_format):
        return None
    header = io.BytesIO()
    try:
        numpy_format.write_array_header_1_0(header, numpy_format.header_data_from_array_1_0(value))
    except ValueError:  # field names beyond Latin-1, or 64 KiB of them
        return None
    parts: list[Part] = [header.getvalue()]
    if value.nbytes:
        parts.append(_memory(value))
    return Encoded(
        codec="npy",
        media_type=MEDIA_TYPE,
        parts=parts,
        size_bytes=len(parts[0]) + value.nbytes,
    )


def _memory(array: Any) -> memoryview:
    """The array's own bytes in the order that its header tells; a copy if they are scattered."""
    flags = array.flags
    in_order = array.T if flags.f_contiguous and not flags.c_contiguous else array
    view: memoryview = in_order.ravel().view("u1").data
    return view


def _is_exact(dtype: Any, numpy_format: Any) -> bool:
    """Whether the header's description brings the very dtype back."""
    if dtype.hasobject or not _is_describable(dtype):
        return False
    restored = numpy_format.descr_to_dtype(numpy_format.dtype_to_descr(dtype))
    return bool(restored == dtype) and _traits(restored) == _traits(dtype)


def _is_describable(dtype: Any) -> bool:
    if dtype.metadata is not None or dtype.kind == "T":  # StringDType keeps its text elsewhere
        return False
    fields = (dtype.fields or {}).values()
    return all(_is_describable(field[0].base) for field in fields)


def _traits(dtype: Any) -> Any:
    """What == of dtypes overlooks: alignment, scalar type, titles; of all fields."""
    fields = [
        (name, _traits(field[0].base), field[2:]) for name, field in (dtype.fields or {}).items()
    ]
    return (dtype.isalignedstruct, dtype.type, fields)


def decode(_name: str, data: memoryview, _directory: Path | None) -> Any:
    numpy = lazy.needed("numpy", "npy")
    numpy_format = lazy.needed("numpy.lib.format", "npy")
    try:
        _, _, _, length = _PREFIX.unpack_from(data)
        start = _PREFIX.size + length
        head = io.BytesIO(data[:start])
        numpy_format.read_magic(head)
        shape, fortran, dtype = numpy_format.read_array_header_1_0(head, max_header_size=1 << 16)
        if not math.prod(shape) * dtype.itemsize:
            return numpy.empty(shape, dtype)
        order = "F" if fortran else "C"
        array = numpy.ndarray(shape, dtype, buffer=data, offset=start, order=order)
    except (ValueError, TypeError, struct.error) as error:
        raise CodecError(
            f"{len(data)} bytes stored as a NumPy array cannot be read: {error}.",
            hint="They were not written by Treadle, or are damaged; make the value again.",
        ) from error
    return array if array.flags.writeable else array.copy(order)


CODEC = Codec(name="npy", encode=encode, decode=decode)
