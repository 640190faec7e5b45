"""Blobs in the memory of this process, for tests and for stores that need not last."""

import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from blake3 import blake3

from treadle.errors import MissingBlob
from treadle.storage.blobs.reading import pieces


class MemoryBlobs:
    """A BlobStore in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, datetime]] = {}
        self._lock = threading.Lock()

    def put(self, parts: Iterable[bytes | memoryview]) -> tuple[str, int]:
        data = b"".join(parts)
        digest = blake3(data).hexdigest()
        with self._lock:
            self._blobs[digest] = (data, datetime.now(UTC))
        return digest, len(data)

    def open(self, digest: str, *, verify: bool = False) -> memoryview:
        """A copy, as the caller may write into what it gets; never damaged, so never verified."""
        return memoryview(bytearray(self._found(digest)))

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        data = self._found(digest)
        end = len(data) if stop is None else min(stop, len(data))
        yield from pieces(lambda offset, size: data[offset : offset + size], start, end)

    def check(self, digest: str) -> None:
        """Never damaged; only whether it is there."""
        self._found(digest)

    def has(self, digest: str) -> bool:
        with self._lock:
            if digest not in self._blobs:
                return False
            self._blobs[digest] = (self._blobs[digest][0], datetime.now(UTC))
            return True

    def size(self, digest: str) -> int:
        return len(self._found(digest))

    def delete(self, digest: str, *, put_before: datetime | None = None) -> bool:
        with self._lock:
            _, put_at = self._blobs.get(digest, (b"", None))
            if put_before and put_at and put_at >= put_before:
                return False
            self._blobs.pop(digest, None)
            return True

    def list(self) -> Iterator[tuple[str, int, datetime]]:
        with self._lock:
            blobs = dict(self._blobs)
        for digest, (data, put_at) in blobs.items():
            yield digest, len(data), put_at

    def _found(self, digest: str) -> bytes:
        try:
            return self._blobs[digest][0]
        except KeyError:
            raise MissingBlob(
                f"the blob {digest} is not in memory.",
                hint="Run again what made it.",
                digest=digest,
            ) from None
