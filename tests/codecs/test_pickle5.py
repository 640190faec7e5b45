"""Everything else: pickle 5, its buffers beside it and mapped back."""

import mmap
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exactly import codec_of, same, there_and_back

from treadle import codecs
from treadle.errors import CodecError


@dataclass
class Model:
    weights: np.ndarray
    name: str = "m"
    parts: dict[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and same(vars(self), vars(other))

    __hash__ = None  # type: ignore[assignment]


class Untold:
    def __reduce__(self) -> Any:
        raise ValueError("this model was never fitted")


class Unreadable:
    def __reduce__(self) -> Any:
        return divide, (1, 0)


def divide(a: int, b: int) -> float:
    return a / b


def test_objects_with_arrays_come_back() -> None:
    model = Model(np.arange(1000.0), parts={"bias": np.ones((3, 4), order="F"), "k": (1, None)})

    assert codec_of(model) == "pickle5"
    assert there_and_back(model) == model


def test_large_memory_is_not_copied_when_encoded() -> None:
    weights = np.arange(100_000.0)

    parts = list(codecs.encode(Model(weights)).parts)

    assert any(np.shares_memory(np.frombuffer(part, "u1"), weights) for part in parts if len(part))


def test_large_bytes_are_not_copied_when_encoded() -> None:
    data = bytes(1_000_000)

    assert any(part is data for part in codecs.encode([data, 1]).parts)


def test_buffers_lie_at_multiples_of_64_bytes_of_the_file() -> None:
    value = [np.arange(n, dtype="u1") + 1 for n in (1, 63, 64, 65, 200)]
    data = codecs.encode(value).to_bytes()

    magic, length, count = struct.unpack_from("<8sQQ", data)
    rows = list(struct.iter_unpack("<QQQ", data[24 : 24 + 24 * count]))

    assert (magic, count) == (b"TRDLPKL5", 5)
    assert [offset % 64 for offset, _, _ in rows] == [0] * 5
    assert [data[offset : offset + size] for offset, size, _ in rows] == [
        a.tobytes() for a in value
    ]
    assert data[24 + 24 * count :][:length].startswith(b"\x80\x05")


def test_buffers_are_mapped_copy_on_write_and_writable_where_they_were(tmp_path: Path) -> None:
    # Given a stored object with an array that may be written, and one that may not
    fixed = np.arange(50_000.0)
    fixed.flags.writeable = False
    encoded = codecs.encode([np.arange(50_000.0), fixed])
    (tmp_path / "blob").write_bytes(encoded.to_bytes())
    with open(tmp_path / "blob", "rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))

    # When it is read from a mapping, which nobody but the value holds any more
    whole = np.frombuffer(data, "u1")
    free, still_fixed = codecs.decode(encoded.codec, data)
    del data

    # Then the arrays lie on the mapping, and writing changes neither file nor others
    assert np.shares_memory(free, whole)
    assert np.shares_memory(still_fixed, whole)
    assert (free.flags.writeable, still_fixed.flags.writeable) == (True, False)
    free[:] = 7
    assert (tmp_path / "blob").read_bytes() == encoded.to_bytes()


def test_arrays_from_read_only_bytes_are_writable_too() -> None:
    encoded = codecs.encode((np.arange(5), 1))

    array, _ = codecs.decode(encoded.codec, memoryview(encoded.to_bytes()))
    array[0] = 9

    assert array.tolist() == [9, 1, 2, 3, 4]


def test_functions_and_classes_of_main_come_back_in_another_process() -> None:
    writer = """
import sys
from treadle import codecs
class Local:
    def __init__(self, x): self.x = x
    def double(self): return self.x * 2
sys.stdout.buffer.write(codecs.encode([Local(21), lambda x: x + 1]).to_bytes())
"""
    reader = """
import sys
from treadle import codecs
local, add = codecs.decode("pickle5", memoryview(sys.stdin.buffer.read()))
print(local.double(), add(1))
"""
    written = subprocess.run([sys.executable, "-c", writer], capture_output=True, check=True)
    read = subprocess.run(
        [sys.executable, "-c", reader], input=written.stdout, capture_output=True, check=True
    )

    assert read.stdout == b"42 2\n"


@pytest.mark.parametrize(
    ("value", "name", "reason"),
    [
        (threading.Lock(), "_thread.lock", "cannot pickle"),
        ({"lock": [threading.Lock()]}, "builtins.dict", "_thread.lock"),
        ((n for n in range(3)), "builtins.generator", "cannot pickle 'generator' object"),
        (Untold(), "Untold", "this model was never fitted"),
        (sys.stdout, "", "cannot"),
    ],
    ids=["lock", "nested lock", "generator", "own error", "file"],
)
def test_what_cannot_be_pickled_is_named_with_the_reason_and_the_next_step(
    value: Any, name: str, reason: str
) -> None:
    with pytest.raises(CodecError) as caught:
        codecs.encode(value)

    assert name in caught.value.sentence
    assert reason in caught.value.sentence
    assert "Return plain data" in caught.value.sentence


def test_what_cannot_be_read_back_says_why() -> None:
    with pytest.raises(CodecError, match="ZeroDivisionError: division by zero"):
        there_and_back(Unreadable())


@pytest.mark.parametrize("cut", [1, 10, 30, 100, 1000])
def test_a_pickle_cut_short_is_refused(cut: int) -> None:
    encoded = codecs.encode(Model(np.arange(1000.0)))

    with pytest.raises(CodecError, match="cannot be read"):
        codecs.decode(encoded.codec, memoryview(encoded.to_bytes()[:-cut]))


def test_a_pandas_series_comes_back() -> None:
    series = pd.Series([1.5, None], index=["a", "b"], name="s")

    back = there_and_back(series)

    pd.testing.assert_series_equal(back, series)
