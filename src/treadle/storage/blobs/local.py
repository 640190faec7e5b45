"""Blobs as files of one directory: `xx/<digest>`, xx being the digest's first two digits.

A blob is written under a passing name in `tmp/` and renamed into place when whole: readers and
other writers, in any process, see all of it or nothing. Two writers of the same bytes make the
same file; the last rename stands. What dead writers left in `tmp/` is removed by
`sweep_temporary`. Imports only the standard library and blake3: every worker loads this.
"""

import errno
import itertools
import mmap
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from blake3 import blake3

from treadle.errors import DamagedBlob, MissingBlob, StorageFull, Unavailable
from treadle.storage.blobs.hashing import Batch, batches, hash_of, write_hashed
from treadle.storage.blobs.reading import Checked, pieces, read_file, state_of, verified

CHECKED_BYTES = 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_ABSENT = {errno.ENOENT}
# Room for a private copy of every page is not set aside: few inputs are ever changed.
_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
_count = itertools.count()


class LocalBlobs:
    """A BlobStore in a directory, which is made at the first put. Safe for threads and processes.

    fsync: a blob that was put survives a power failure too.
    """

    def __init__(self, directory: Path | str, fsync: bool = False) -> None:
        self.directory = Path(directory)
        self._temporary = self.directory / "tmp"
        self._fsync = fsync
        self._checked = Checked()

    def put(self, parts: Iterable[bytes | memoryview]) -> tuple[str, int]:
        """Store the concatenated parts; return (digest, size in bytes)."""
        cut = batches(parts)
        first = next(cut, [])
        if sum(map(len, first)) <= CHECKED_BYTES:
            digest = hash_of(first)
            if self._renewed(digest):
                return digest, sum(map(len, first))
        with self._outside_world("written"):
            return self._put(first, cut)

    def _put(self, first: Batch, rest: Iterable[Batch]) -> tuple[str, int]:
        temporary, descriptor = self._new_temporary()
        try:
            digest = write_hashed(first, rest, lambda batch: _write(descriptor, batch))
            size_bytes = os.fstat(descriptor).st_size
            if self._fsync:
                os.fsync(descriptor)
            self._rename(temporary, self.path(digest))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return digest, size_bytes

    def _renewed(self, digest: str) -> bool:
        """Whether the blob is there already, whole, and its age could be renewed.

        For small blobs: reading one is ten times faster than writing it over itself.
        """
        try:
            self.open(digest, verify=True)
            return _renew(self.path(digest))
        except (MissingBlob, DamagedBlob, Unavailable, OSError):
            return False

    def open(self, digest: str, *, verify: bool = False) -> memoryview:
        """All bytes of the blob, private to the caller and writable; the view owns its mapping.

        A blob of up to CHECKED_BYTES is read and always verified, which costs less than mapping
        it; a larger one is mapped at once however large it is, and verified only if asked,
        because that means to read all of it.
        """
        path = self.path(digest)
        with self._outside_world("read", digest), open(path, "rb", buffering=0) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes <= CHECKED_BYTES:
                data = memoryview(bytearray(size_bytes))
                _read(file.fileno(), data)
            else:
                flags = mmap.MAP_PRIVATE | _MAP_NORESERVE
                protection = mmap.PROT_READ | mmap.PROT_WRITE
                data = memoryview(mmap.mmap(file.fileno(), 0, flags, protection))
        if verify or size_bytes <= CHECKED_BYTES:
            _verify(data, digest, path)
        return data

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from start up to stop, or the end, in pieces; a whole blob is verified."""
        path = self.path(digest)
        with self._outside_world("read", digest), open(path, "rb", buffering=0) as file:
            state = state_of(file.fileno())
            end = state[0] if stop is None else min(stop, state[0])
            arriving = pieces(read_file(file.fileno()), start, end)
            if (start, end) == (0, state[0]) and not self._checked.knows(digest, state):
                arriving = verified(arriving, lambda found: _compare(found, digest, path))
                yield from arriving
                self._checked.remember(digest, state)
            else:
                yield from arriving

    def check(self, digest: str) -> None:
        """Hash the blob, unless its file is as it was when it was found right."""
        path = self.path(digest)
        with self._outside_world("read", digest), open(path, "rb", buffering=0) as file:
            state = state_of(file.fileno())
            if not self._checked.knows(digest, state):
                read = pieces(read_file(file.fileno()), 0, state[0])
                _compare(hash_of(read), digest, path)
                self._checked.remember(digest, state)

    def has(self, digest: str) -> bool:
        """Whether the blob is there. Asking renews its age: who asks is about to refer to it."""
        try:
            return _renew(self.path(digest))
        except PermissionError:  # a reader of somebody else's store
            return self.path(digest).exists()
        except OSError:
            return False

    def size(self, digest: str) -> int:
        with self._outside_world("read", digest):
            return self.path(digest).stat().st_size

    def delete(self, digest: str, *, put_before: datetime | None = None) -> bool:
        """Forget the blob, unless it was put or asked for since `put_before`.

        It is taken aside before its age is looked at: so a writer that finds it and renews its
        age at this very moment does so before, and it is laid back, or does not find it.
        """
        path = self.path(digest)
        with self._outside_world("changed"):
            if put_before is None:
                path.unlink(missing_ok=True)
                return True
            with suppress(FileNotFoundError):
                return path.stat().st_mtime < put_before.timestamp() and self._delete_old(
                    path, put_before
                )
            return True

    def _delete_old(self, path: Path, put_before: datetime) -> bool:
        aside, descriptor = self._new_temporary()
        os.close(descriptor)
        try:
            path.rename(aside)
            if aside.stat().st_mtime < put_before.timestamp():
                return True
            with suppress(FileExistsError):  # put anew meanwhile
                path.hardlink_to(aside)
            return False
        finally:
            aside.unlink(missing_ok=True)

    def list(self) -> Iterator[tuple[str, int, datetime]]:
        """(digest, size in bytes, when last put) of every blob, in no order."""
        with self._outside_world("read"):
            if not self.directory.exists():
                return
            for folder in self.directory.glob("[0-9a-f][0-9a-f]"):
                for entry in os.scandir(folder):
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        found = entry.stat()
                        when = datetime.fromtimestamp(found.st_mtime, UTC)
                        yield entry.name, found.st_size, when

    def path(self, digest: str) -> Path:
        """Where the blob is, or would be. Raises MissingBlob for what is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise MissingBlob(f"{digest!r} is not a digest, 64 hexadecimal digits.")
        return self.directory / digest[:2] / digest

    def sweep_temporary(self, older_than: timedelta = timedelta(hours=1)) -> int:
        """Remove what writers left that died; return how many files.

        A file goes when its writer, whose process id it is named by, is not there any more, or
        when the last write to it is older than this (the id may have been given out anew).
        """
        before = time.time() - older_than.total_seconds()
        removed = 0
        with self._outside_world("changed"):
            for path in self._temporary.glob("*"):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime <= before or _is_dead(path.name):
                        path.unlink()
                        removed += 1
        return removed

    def _new_temporary(self) -> tuple[Path, int]:
        path = self._temporary / f"{os.getpid()}.{next(_count)}.{time.time_ns()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return path, os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._temporary.mkdir(parents=True, exist_ok=True)
            return path, os.open(path, flags, 0o600)

    def _rename(self, temporary: Path, path: Path) -> None:
        try:
            temporary.rename(path)
        except FileNotFoundError:
            path.parent.mkdir(exist_ok=True)
            temporary.rename(path)
            if self._fsync:
                _sync_directory(self.directory)
        if self._fsync:
            _sync_directory(path.parent)

    @contextmanager
    def _outside_world(self, verb: str, digest: str | None = None) -> Iterator[None]:
        """Say errors of the file system in our words. digest: the blob that should be there."""
        try:
            yield
        except OSError as error:
            if digest is not None and error.errno in _ABSENT:
                raise MissingBlob(
                    f"the blob {digest} is not in {self.directory}.",
                    hint="Run again what made it.",
                    digest=digest,
                ) from error
            if error.errno in _FULL:
                raise StorageFull(
                    f"the disk of {self.directory} is full ({error.strerror}); nothing was stored.",
                    hint="Free some space, for instance with `treadle gc`, and try again.",
                ) from error
            raise Unavailable(
                f"the blobs in {self.directory} cannot be {verb}: {error.strerror or error}.",
                hint="See that the directory exists and that you own it.",
            ) from error


def _renew(path: Path) -> bool:
    """Make the file young; False if it was taken away before it was young.

    Looking again is needed: utime finds the file and sets its time in two steps.
    """
    os.utime(path)
    return path.exists()


def _write(descriptor: int, batch: Batch) -> None:
    done = os.writev(descriptor, batch)
    for piece in batch:  # writev may stop anywhere
        rest, done = piece[done:], max(0, done - len(piece))
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _read(descriptor: int, into: memoryview) -> None:
    """Fill `into`; bytes that are missing because somebody cut the file stay zero."""
    while into and (count := os.readv(descriptor, [into])):
        into = into[count:]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verify(data: memoryview, digest: str, path: Path) -> None:
    _compare(blake3(data).hexdigest(), digest, path)


def _compare(found: str, digest: str, path: Path) -> None:
    if found != digest:
        raise DamagedBlob(
            f"the blob {digest} is damaged: {path} now has the digest {found}.",
            hint="Delete that file and run again what made it; then check the disk.",
            digest=digest,
            found=found,
            path=str(path),
        )


def _is_dead(temporary: str) -> bool:
    """True if the process that the file is named by does not exist."""
    pid = temporary.partition(".")[0]
    return pid.isdecimal() and not Path("/proc", pid).exists()
