"""Values through a store: inline in the Ref when small, mapped from the store when large."""

from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from treadle.errors import CodecError, DamagedBlob, MissingBlob
from treadle.model.refs import INLINE_LIMIT_BYTES, Ref
from treadle.storage.blobs import LocalBlobs, MemoryBlobs, load_value, store_value


def test_a_small_value_travels_in_its_ref() -> None:
    blobs = MemoryBlobs()

    ref = store_value(blobs, {"accuracy": 0.97})

    assert (ref.codec, ref.media_type, ref.inline) == (
        "json",
        "application/json",
        b'{"accuracy":0.97}',
    )
    assert ref.digest == blake3(b'{"accuracy":0.97}').hexdigest()
    assert ref.size_bytes == 17
    assert list(blobs.list()) == []
    assert load_value(blobs, ref) == {"accuracy": 0.97}


@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_of_what_is_small_is_exact(over: int) -> None:
    blobs = MemoryBlobs()
    text = "x" * (INLINE_LIMIT_BYTES - 2 + over)

    ref = store_value(blobs, text)

    assert (ref.inline is None) == bool(over)
    assert len(list(blobs.list())) == over
    assert load_value(blobs, ref) == text


def test_a_ref_survives_its_wire_form() -> None:
    blobs = MemoryBlobs()
    ref = store_value(blobs, (1, b"\xff"))

    assert load_value(blobs, Ref.from_wire(ref.to_wire())) == (1, b"\xff")


def test_a_large_array_is_mapped_and_private(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    ref = store_value(blobs, np.arange(500_000))

    mine, yours = load_value(blobs, ref), load_value(blobs, ref)
    mine[:] = 0

    assert type(mine) is np.ndarray
    assert yours.tolist() == list(range(500_000))
    assert blobs.open(ref.digest, verify=True)


def test_files_and_directories_go_where_the_caller_says(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    (tmp_path / "data.csv").write_bytes(b"a,b\n" * 100_000)
    ref = store_value(blobs, tmp_path / "data.csv")

    found = load_value(blobs, ref, tmp_path / "inputs")

    assert (ref.codec, ref.media_type) == ("path:data.csv", "text/csv")
    assert found == tmp_path / "inputs" / "data.csv"
    assert found.read_bytes() == (tmp_path / "data.csv").read_bytes()
    with pytest.raises(CodecError, match="needs a place"):
        load_value(blobs, ref)


def test_a_blob_of_another_size_than_its_ref_is_damaged(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    ref = store_value(blobs, bytes(3 * 2**20))
    blobs.path(ref.digest).write_bytes(bytes(2 * 2**20))

    with pytest.raises(DamagedBlob, match=f"{ref.digest}.*2097152 bytes"):
        load_value(blobs, ref)


def test_a_value_whose_blob_is_gone_says_what_to_do(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    ref = store_value(blobs, bytes(100_000))
    blobs.delete(ref.digest)

    with pytest.raises(MissingBlob, match="Run again what made it"):
        load_value(blobs, ref)
