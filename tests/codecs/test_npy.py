"""NumPy arrays: .npy where the format keeps the type, pickle where it does not."""

import io
import mmap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exactly import codec_of, same, there_and_back
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from treadle import codecs

ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)
PADDED = np.dtype({"names": ["a", "b"], "formats": ["i1", "<f8"], "offsets": [0, 8]})
NESTED = np.dtype([("p", [("x", ">i4"), ("y", "M8[us]")], (2, 3)), ("s", "S3")])

dtypes = (
    npst.scalar_dtypes()
    | npst.unicode_string_dtypes()
    | npst.byte_string_dtypes()
    | npst.datetime64_dtypes()
    | npst.timedelta64_dtypes()
    | npst.array_dtypes(allow_subarrays=True)
)


@given(dtypes.flatmap(lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0))))
def test_arrays_of_any_type_and_shape_come_back_exactly(array: np.ndarray) -> None:
    assert same(there_and_back(array), array)


@given(
    npst.arrays(npst.integer_dtypes(), npst.array_shapes(min_dims=2, max_dims=4, max_side=5)),
    st.randoms(use_true_random=False),
)
def test_arrays_in_any_order_come_back(array: np.ndarray, random: Any) -> None:
    axes = list(range(array.ndim))
    random.shuffle(axes)
    view = array.transpose(axes)[::2]

    back = there_and_back(view)

    assert type(back) is np.ndarray
    assert back.dtype == view.dtype
    assert np.array_equal(back, view)


@pytest.mark.parametrize(
    "array",
    [
        np.array(5),
        np.array(-0.0),
        np.array([np.nan, -np.nan, np.inf]),
        np.zeros((0, 3)),
        np.zeros((2, 0), order="F"),
        np.arange(6, dtype=">i4"),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.array(["2026-01-02", "NaT"], "M8[D]"),
        np.array([1, 2], "m8[25s]"),
        np.array(["a", "ü😀"], ">U2"),
        np.array([b"x", b""]),
        np.zeros(0, "S0"),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
        np.zeros(3, PADDED),
        np.zeros((2, 2), NESTED),
        np.array([b"ab"], "V2"),
        np.array([1 + 2j], "c8"),
        np.array([1], "g"),
        np.array([True]),
        np.float16([1.5]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_npy_holds_every_type_that_it_describes(array: np.ndarray) -> None:
    assert codec_of(array) == "npy"
    assert same(there_and_back(array), array)


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, "a", None], object),
        np.zeros(2, ALIGNED),
        np.zeros(2, [("inner", ALIGNED)]),
        np.zeros(2, np.dtype("i4", metadata={"unit": "m"})),
        np.zeros(2, [("a", np.dtype("i4", metadata={"unit": "m"}))]),
        np.array(["a", "long enough to lie elsewhere"], np.dtypes.StringDType()),
        np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.zeros(2, np.dtype((np.record, [("a", "i4")]))),
        np.ma.masked_array([1, 2], mask=[0, 1]),
        np.zeros(1, [("喜", "i4")]),
        np.float64(2.5),
        np.int8(3),
        np.datetime64("2026-01-02"),
    ],
    ids=lambda array: f"{type(array).__name__} {array.dtype}",
)
def test_what_npy_would_change_is_pickled(array: Any) -> None:
    assert codec_of(array) == "pickle5"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = there_and_back(array)
    assert type(back) is type(array)
    assert back.dtype == array.dtype
    assert back.dtype.type is array.dtype.type
    assert back.dtype.metadata == array.dtype.metadata
    assert back.dtype.isalignedstruct == array.dtype.isalignedstruct
    assert back.tolist() == array.tolist()


def test_any_reader_of_npy_reads_what_is_stored() -> None:
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    encoded = codecs.encode(array)

    read = np.load(io.BytesIO(encoded.to_bytes()), allow_pickle=False)

    assert encoded.media_type == "application/x-npy"
    assert same(read, array)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_neither_copied_nor_moved_on_its_way(tmp_path: Path, order: Any) -> None:
    # Given an array, and the parts it is stored by
    array = np.asarray(np.arange(60_000.0).reshape(200, 300), order=order)
    encoded = codecs.encode(array)
    header, memory = encoded.parts
    assert len(header) % 64 == 0
    assert np.shares_memory(np.frombuffer(memory, "u1"), array)

    # When it is mapped from a file
    (tmp_path / "blob").write_bytes(encoded.to_bytes())
    with open(tmp_path / "blob", "rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    whole = np.frombuffer(data, "u1")
    back = codecs.decode(encoded.codec, data)
    del data

    # Then it lies on the mapping, is a plain array, and may be written
    assert np.shares_memory(back, whole)
    assert same(back, array)
    assert back.ctypes.data % 64 == 0
    back[:] = 0
    assert (tmp_path / "blob").read_bytes() == encoded.to_bytes()


def test_an_array_from_read_only_bytes_is_writable_and_its_own() -> None:
    encoded = codecs.encode(np.arange(5))
    data = encoded.to_bytes()

    back = codecs.decode(encoded.codec, memoryview(data))
    back[0] = 9

    assert data == encoded.to_bytes()


def test_a_read_only_array_comes_back_writable() -> None:
    array = np.arange(5)
    array.flags.writeable = False

    assert there_and_back(array).flags.writeable
