"""What the store in a directory keeps beyond the contract: crashes, damage, a full disk."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blake3 import blake3

from treadle.errors import DamagedBlob, MissingBlob, StorageFull, Unavailable
from treadle.storage.blobs import LocalBlobs, open_blobs

LARGE = 3 * 2**20


def files_of(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_a_blob_is_a_file_named_by_its_digest(tmp_path: Path) -> None:
    digest, _ = LocalBlobs(tmp_path).put([b"plain"])

    assert (tmp_path / digest[:2] / digest).read_bytes() == b"plain"
    assert files_of(tmp_path) == [tmp_path / digest[:2] / digest]


def test_making_a_store_touches_nothing(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "later")

    assert list(blobs.list()) == []
    assert blobs.sweep_temporary() == 0
    assert not (tmp_path / "later").exists()


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_damaged_blob_is_found_and_named(tmp_path: Path, size: int) -> None:
    blobs = LocalBlobs(tmp_path)
    digest, _ = blobs.put([b"a" * size])
    blobs.path(digest).write_bytes(b"b" * size)

    with pytest.raises(DamagedBlob) as caught:
        blobs.open(digest, verify=True)

    found = blake3(b"b" * size).hexdigest()
    assert caught.value.details == {
        "digest": digest,
        "found": found,
        "path": str(blobs.path(digest)),
    }
    for name in (digest, found, str(blobs.path(digest))):
        assert name in caught.value.sentence


def test_a_small_damaged_blob_is_found_without_being_asked_for(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    digest, _ = blobs.put([b"small"])
    blobs.path(digest).write_bytes(b"")

    with pytest.raises(DamagedBlob):
        blobs.open(digest)


@pytest.mark.parametrize("size", [10, LARGE])
def test_putting_a_damaged_blob_again_heals_it(tmp_path: Path, size: int) -> None:
    blobs = LocalBlobs(tmp_path)
    digest, _ = blobs.put([b"a" * size])
    blobs.path(digest).write_bytes(b"rot")

    blobs.put([b"a" * size])

    assert blobs.open(digest, verify=True) == b"a" * size


@pytest.mark.parametrize("size", [10, LARGE])
def test_putting_or_asking_again_renews_the_age(tmp_path: Path, size: int) -> None:
    blobs = LocalBlobs(tmp_path)
    digest, _ = blobs.put([b"a" * size])
    for renew in (lambda: blobs.put([b"a" * size]), lambda: blobs.has(digest)):
        os.utime(blobs.path(digest), (0, 0))

        renew()

        assert blobs.path(digest).stat().st_mtime > 1e9


def test_a_name_that_is_no_digest_leads_nowhere(tmp_path: Path) -> None:
    for name in ("../secret", "", "A" * 64, "0" * 63):
        with pytest.raises(MissingBlob):
            LocalBlobs(tmp_path).open(name)


def test_a_failing_source_leaves_no_temporary_file(tmp_path: Path) -> None:
    def parts():  # type: ignore[no-untyped-def]
        yield bytes(LARGE)
        yield bytes(LARGE)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        LocalBlobs(tmp_path).put(parts())

    assert files_of(tmp_path) == []


def test_a_writer_killed_in_the_middle_leaves_no_blob_and_its_rest_is_swept(tmp_path: Path) -> None:
    # Given a writer that is killed after some of its bytes
    code = f"""
import os, signal
from treadle.storage.blobs.local import LocalBlobs
def parts():
    for _ in range(3):
        yield bytes({2 * LARGE})
    os.kill(os.getpid(), signal.SIGKILL)
    yield b""
LocalBlobs({str(tmp_path)!r}).put(parts())
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    blobs = LocalBlobs(tmp_path)

    # Then no blob is there, and what is left goes with the next sweep
    assert list(blobs.list()) == []
    assert len(files_of(tmp_path)) == 1
    assert blobs.sweep_temporary() == 1  # because its writer is dead
    assert files_of(tmp_path) == []


def test_a_sweep_spares_what_live_writers_write_but_not_what_is_old(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    blobs.put([b"makes the folder"])
    mine = tmp_path / "tmp" / f"{os.getpid()}.1.2"
    mine.write_bytes(b"half")
    assert blobs.sweep_temporary() == 0
    assert blobs.sweep_temporary(timedelta(0)) == 1


def test_what_is_put_again_while_it_is_collected_is_never_lost(tmp_path: Path) -> None:
    blobs, rounds = LocalBlobs(tmp_path), 1000
    digest, _ = blobs.put([b"old"])
    together = threading.Barrier(2, timeout=60)
    recently = datetime.now(UTC) - timedelta(minutes=1)

    def collect_it() -> None:
        for _ in range(rounds):
            together.wait()
            blobs.delete(digest, put_before=recently)
            together.wait()

    collector = threading.Thread(target=collect_it)
    collector.start()
    lost = 0
    for _ in range(rounds):
        os.utime(blobs.path(digest), (1, 1))
        together.wait()
        blobs.put([b"old"])
        together.wait()
        lost += not blobs.path(digest).exists()
    collector.join()

    assert lost == 0
    assert files_of(tmp_path) == [blobs.path(digest)]


def test_two_processes_may_put_the_same_blob_at_once(tmp_path: Path) -> None:
    code = f"""
import sys
from treadle.storage.blobs.local import LocalBlobs
blobs = LocalBlobs({str(tmp_path)!r})
print("ready", flush=True)
sys.stdin.readline()
for n in range(20):
    digest, _ = blobs.put([bytes([n]) * {LARGE}])
    blobs.open(digest, verify=True)
    blobs.put([bytes([n])])
"""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.communicate("go\n", timeout=60)

    assert [writer.returncode for writer in writers] == [0, 0]
    blobs = LocalBlobs(tmp_path)
    listed = [digest for digest, _, _ in blobs.list()]
    assert len(listed) == 40
    for digest in listed:
        blobs.open(digest, verify=True)
    assert len(files_of(tmp_path)) == 40


def test_a_full_disk_is_said_and_leaves_nothing_behind(small_disk: Path) -> None:
    blobs = LocalBlobs(small_disk)
    kept, _ = blobs.put([b"k" * 2**17])

    with pytest.raises(StorageFull) as caught:
        blobs.put([bytes([n]) * 2**20 for n in range(30)])

    assert str(small_disk) in caught.value.sentence
    assert "treadle gc" in caught.value.sentence
    assert files_of(small_disk) == [blobs.path(kept)]
    assert blobs.open(kept, verify=True) == b"k" * 2**17


def test_a_directory_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    blobs = LocalBlobs(tmp_path / "file")

    for attempt in (lambda: blobs.put([b"x"]), lambda: blobs.open("0" * 64)):
        with pytest.raises(Unavailable, match="file"):
            attempt()
    assert not blobs.has("0" * 64)


def test_a_directory_without_permission_is_said(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "closed")
    digest, _ = blobs.put([b"x"])
    (tmp_path / "closed").chmod(0)
    me = os.geteuid()
    os.seteuid(me or 65534)  # root may read and write everything
    try:
        with pytest.raises(Unavailable, match="Permission denied"):
            blobs.open(digest)
        with pytest.raises(Unavailable, match="Permission denied"):
            blobs.put([b"y"])
    finally:
        os.seteuid(me)
        (tmp_path / "closed").chmod(0o700)


def test_a_worker_needs_only_the_standard_library_and_blake3() -> None:
    code = """
import sys
startup = set(sys.modules)  # what the interpreter brings: measuring coverage adds to it
import treadle.storage.blobs.local, treadle.codecs, treadle.storage.blobs.values
known = set(sys.stdlib_module_names) | {"treadle", "blake3"}
print(sorted({name.partition(".")[0] for name in set(sys.modules) - startup} - known))
assert treadle.codecs.encode((1, 2)).codec == "pickle5"
assert "cloudpickle" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"


def test_a_damaged_object_is_found_and_named(tmp_path: Path) -> None:
    blobs = open_blobs(tmp_path.as_uri())
    digest, _ = blobs.put([b"right"])
    (tmp_path / digest[:2] / digest).write_bytes(b"wrong")

    with pytest.raises(DamagedBlob, match=digest):
        blobs.open(digest)


def test_an_address_of_an_unknown_kind_is_said() -> None:
    with pytest.raises(Unavailable, match="nowhere"):
        open_blobs("nowhere://at/all")


def test_an_object_store_has_the_layout_of_a_directory(tmp_path: Path) -> None:
    digest, _ = open_blobs(tmp_path.as_uri()).put([b"z" * LARGE * 4])

    assert LocalBlobs(tmp_path).open(digest, verify=True) == b"z" * LARGE * 4


def _damaged(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_a_damaged_blob_breaks_off_while_it_is_read(tmp_path: Path, address: str) -> None:
    blobs = open_blobs(address.format(tmp_path))
    digest, _ = blobs.put([b"x" * 5_000_000])
    _damaged(tmp_path / digest[:2] / digest)

    arrived = 0
    with pytest.raises(DamagedBlob, match=digest):
        for piece in blobs.read(digest):
            arrived += len(piece)
    assert 0 < arrived < 5_000_000


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_a_blob_that_was_checked_is_checked_again_once_its_file_changed(
    tmp_path: Path, address: str
) -> None:
    blobs = open_blobs(address.format(tmp_path))
    digest, _ = blobs.put([b"x" * 5_000_000])
    blobs.check(digest)
    blobs.check(digest)
    _damaged(tmp_path / digest[:2] / digest)
    os.utime(tmp_path / digest[:2] / digest, (1, 1))

    with pytest.raises(DamagedBlob, match=digest):
        blobs.check(digest)


def test_a_blob_can_be_deleted_while_it_is_read(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    digest, _ = blobs.put([b"x" * 5_000_000])
    reading = blobs.read(digest)
    first = next(reading)
    blobs.delete(digest)
    assert len(first + b"".join(reading)) == 5_000_000
