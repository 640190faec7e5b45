"""What every BlobStore keeps, whatever it stores in."""

import threading
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.errors import MissingBlob
from treadle.interfaces import BlobStore
from treadle.storage.blobs import LocalBlobs, MemoryBlobs, open_blobs
from treadle.storage.blobs.gc import collect

ABSENT = blake3(b"never stored").hexdigest()
SOON = timedelta(minutes=1)


@pytest.fixture(params=["local", "local-fsync", "memory", "object-memory", "object-directory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    match request.param:
        case "local":
            yield LocalBlobs(tmp_path / "blobs")
        case "local-fsync":
            yield open_blobs(str(tmp_path / "blobs"), fsync=True)
        case "memory":
            yield MemoryBlobs()
        case "object-memory":
            yield open_blobs("memory:///")
        case _:
            yield open_blobs((tmp_path / "objects").as_uri())


def test_what_was_put_comes_back_under_its_blake3_digest(blobs: BlobStore) -> None:
    digest, size = blobs.put([b"warp ", memoryview(b"and "), b"", b"weft"])

    assert digest == blake3(b"warp and weft").hexdigest()
    assert size == blobs.size(digest) == len(b"warp and weft")
    assert bytes(blobs.open(digest)) == bytes(blobs.open(digest, verify=True)) == b"warp and weft"


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1, 4 * 2**20, 9 * 2**20 + 7])
def test_blobs_of_any_size_come_back(blobs: BlobStore, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]

    digest, stored = blobs.put([data])

    assert (digest, stored) == (blake3(data).hexdigest(), size)
    assert blobs.open(digest, verify=True) == data


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(0, 2**21))
def test_the_cut_into_parts_does_not_matter(
    blobs: BlobStore, parts: list[bytes], zeros: int
) -> None:
    parts.insert(len(parts) // 2, bytes(zeros))

    digest, size = blobs.put(iter(parts))

    assert blobs.open(digest) == b"".join(parts)
    assert digest == blake3(b"".join(parts)).hexdigest()
    assert size == len(b"".join(parts))


def test_parts_are_counted_in_bytes_whatever_they_hold(blobs: BlobStore) -> None:
    digest, size = blobs.put([memoryview(array("d", [1.5, 2.5])), bytearray(b"x")])

    assert size == blobs.size(digest) == 17
    assert blobs.open(digest) == array("d", [1.5, 2.5]).tobytes() + b"x"


def test_thousands_of_small_parts_are_stored(blobs: BlobStore) -> None:
    parts = [str(number).encode() for number in range(50_000)]

    digest, _ = blobs.put(parts)

    assert blobs.open(digest) == b"".join(parts)


@pytest.mark.parametrize("size", [100, 3 * 2**20])
def test_who_opens_a_blob_may_write_into_it_and_nobody_else_sees_it(
    blobs: BlobStore, size: int
) -> None:
    digest, _ = blobs.put([bytes(size)])
    mine = blobs.open(digest)

    mine[:4] = b"mine"

    assert bytes(mine[:4]) == b"mine"
    assert blobs.open(digest, verify=True) == bytes(size)


def test_a_view_outlives_the_blob(blobs: BlobStore) -> None:
    digest, _ = blobs.put([b"x" * 3 * 2**20])
    view = blobs.open(digest)

    blobs.delete(digest)

    assert bytes(view[-3:]) == b"xxx"
    with pytest.raises(MissingBlob):
        blobs.open(digest)


def test_a_missing_blob_is_named(blobs: BlobStore) -> None:
    assert not blobs.has(ABSENT)
    with pytest.raises(MissingBlob, match=ABSENT):
        blobs.open(ABSENT)
    with pytest.raises(MissingBlob, match=ABSENT):
        blobs.size(ABSENT)


def test_deleting_twice_is_fine(blobs: BlobStore) -> None:
    digest, _ = blobs.put([b"here"])
    assert blobs.has(digest)

    blobs.delete(digest)
    blobs.delete(digest)

    assert not blobs.has(digest)


def test_putting_again_is_harmless_and_renews_the_age(blobs: BlobStore) -> None:
    digest, _ = blobs.put([b"again"])
    (_, _, first), *others = blobs.list()

    assert blobs.put([b"again"]) == (digest, 5)

    (listed, size, second), *more = blobs.list()
    assert (listed, size, others, more) == (digest, 5, [], [])
    assert second >= first
    assert abs(datetime.now(UTC) - second) < SOON


def test_all_blobs_are_listed_once(blobs: BlobStore) -> None:
    assert list(blobs.list()) == []
    put = {blobs.put([bytes([n]) * n])[0]: n for n in range(20)}

    listed = list(blobs.list())

    assert {digest: size for digest, size, _ in listed} == put
    assert len(listed) == len(put)


def test_many_threads_may_put_the_same_blob(blobs: BlobStore) -> None:
    data, digests = b"t" * (2 * 2**20), []
    threads = [threading.Thread(target=lambda: digests.append(blobs.put([data]))) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(digests) == {(blake3(data).hexdigest(), len(data))}
    assert len(digests) == 6
    assert blobs.open(digests[0][0], verify=True) == data


def test_a_collection_frees_what_nothing_refers_to(blobs: BlobStore) -> None:
    wanted, _ = blobs.put([b"wanted"])
    unwanted, _ = blobs.put([b"nobody's"])
    later = datetime.now(UTC) + timedelta(hours=2)

    trial = collect(blobs, {wanted}, later, dry_run=True)
    assert blobs.has(unwanted)
    done = collect(blobs, {wanted}, later)

    assert trial == done
    assert (done.count, done.size_bytes, done.kept) == (1, 8, 1)
    assert blobs.has(wanted)
    assert not blobs.has(unwanted)


def test_a_blob_that_was_put_since_is_not_deleted(blobs: BlobStore) -> None:
    digest, _ = blobs.put([b"just now"])
    now = datetime.now(UTC)

    assert not blobs.delete(digest, put_before=now - SOON)
    assert blobs.open(digest) == b"just now"
    assert blobs.delete(digest, put_before=now + SOON)
    assert not blobs.has(digest)
    assert blobs.delete(digest, put_before=now + SOON)


def test_a_collection_spares_young_blobs(blobs: BlobStore) -> None:
    young, _ = blobs.put([b"referred to in a moment"])

    done = collect(blobs, set(), datetime.now(UTC))

    assert (done.count, done.kept) == (0, 1)
    assert blobs.has(young)


@pytest.mark.parametrize("size", [0, 1, 2**20, 3 * 2**20 + 5])
def test_a_blob_is_read_in_pieces_as_a_whole_or_in_part(blobs: BlobStore, size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    digest, _ = blobs.put([data])
    blobs.check(digest)

    assert b"".join(blobs.read(digest)) == data
    assert b"".join(blobs.read(digest, 1, 2**20 + 3)) == data[1 : 2**20 + 3]
    assert b"".join(blobs.read(digest, size, size + 1)) == b""


def test_a_missing_blob_can_be_neither_read_nor_checked(blobs: BlobStore) -> None:
    with pytest.raises(MissingBlob):
        next(blobs.read(ABSENT))
    with pytest.raises(MissingBlob):
        blobs.check(ABSENT)
