"""Blobs in an object store (S3, Google Cloud Storage, Azure, ...) under `xx/<digest>`.

Always verified when read. Credentials come from the environment, as `obstore` documents. The
layout is that of a local store, so that a directory can be copied into a bucket as it is.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from blake3 import blake3
from obstore.exceptions import BaseError
from obstore.store import from_url

from treadle.errors import DamagedBlob, MissingBlob, StorageFull, Unavailable
from treadle.storage.blobs.hashing import batches, hash_of
from treadle.storage.blobs.reading import PIECE_BYTES, Checked, verified

_WHOLE_BYTES = 8 * 1024 * 1024  #: what is larger goes up in parts of this size
_KEY = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})")


class ObjectBlobs:
    """A BlobStore at a URL such as s3://bucket/prefix. Thread-safe."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._store: Any = _store(url)
        self._checked = Checked()

    def put(self, parts: Iterable[bytes | memoryview]) -> tuple[str, int]:
        """Hash first, then send: an object's name cannot change once it is there."""
        again = list(parts) if isinstance(parts, Iterator) else parts
        size_bytes = 0
        hasher = blake3()
        for piece in chain.from_iterable(batches(again)):
            hasher.update(piece)
            size_bytes += len(piece)
        digest = hasher.hexdigest()
        whole = size_bytes <= _WHOLE_BYTES
        data = b"".join(again) if whole else chain.from_iterable(batches(again))
        with self._outside_world("written"):
            obstore.put(
                self._store,
                _key(digest),
                data,
                use_multipart=not whole,
                chunk_size=_WHOLE_BYTES,
            )
        return digest, size_bytes

    def open(self, digest: str, *, verify: bool = False) -> memoryview:
        """All bytes, fetched into memory of the caller's own, and verified in any case."""
        hasher = blake3()
        with self._outside_world("read", digest):
            answer = obstore.get(self._store, _key(digest))
            data = memoryview(bytearray(answer.meta["size"]))
            start = 0
            for chunk in answer.stream():
                piece = memoryview(chunk)
                hasher.update(piece)
                data[start : start + len(piece)] = piece
                start += len(piece)
        self._compare(hasher.hexdigest(), digest)
        return data

    def _compare(self, found: str, digest: str) -> None:
        if found != digest:
            raise DamagedBlob(
                f"the blob {digest} is damaged: what {self._url} holds as {_key(digest)} now "
                f"has the digest {found}.",
                hint="Delete it there and run again what made it.",
                digest=digest,
                found=found,
                path=f"{self._url.rstrip('/')}/{_key(digest)}",
            )

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from start up to stop, or the end, as they come from the store."""
        with self._outside_world("read", digest):
            size_bytes = self.size(digest)
            end = size_bytes if stop is None else min(stop, size_bytes)
            arriving = self._arriving(digest, start, end)
            if start == 0 and end == size_bytes:
                arriving = verified(arriving, lambda found: self._compare(found, digest))
            yield from arriving

    def _arriving(self, digest: str, start: int, end: int) -> Iterator[bytes]:
        if start < end:
            options: Any = {"range": (start, end)}
            found = obstore.get(self._store, _key(digest), options=options)
            yield from map(bytes, found.stream(min_chunk_size=PIECE_BYTES))

    def check(self, digest: str) -> None:
        """Fetch and hash the object, unless it is the one that was found right."""
        with self._outside_world("read", digest):
            found = obstore.head(self._store, _key(digest))
            state = (found["e_tag"], found["last_modified"], found["size"])
            if not self._checked.knows(digest, state):
                self._compare(hash_of(self._arriving(digest, 0, found["size"])), digest)
                self._checked.remember(digest, state)

    def has(self, digest: str) -> bool:
        """Whether the object is there; its age stays, as only putting it again can renew it."""
        try:
            self.size(digest)
        except MissingBlob:
            return False
        return True

    def size(self, digest: str) -> int:
        with self._outside_world("read", digest):
            return int(obstore.head(self._store, _key(digest))["size"])

    def delete(self, digest: str, *, put_before: datetime | None = None) -> bool:
        """An object put between the look at its age and its deletion is lost: put it later."""
        with self._outside_world("changed"), suppress(FileNotFoundError):
            if put_before:
                put_at: datetime = obstore.head(self._store, _key(digest))["last_modified"]
                if put_at >= put_before:
                    return False
            obstore.delete(self._store, _key(digest))
        return True

    def list(self) -> Iterator[tuple[str, int, datetime]]:
        with self._outside_world("read"):
            for batch in obstore.list(self._store):
                for found in batch:
                    key = _KEY.fullmatch(found["path"])
                    if key:
                        yield key[1], int(found["size"]), found["last_modified"]

    @contextmanager
    def _outside_world(self, verb: str, digest: str | None = None) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise MissingBlob(
                f"the blob {digest} is not in {self._url}.",
                hint="Run again what made it.",
                digest=digest,
            ) from error
        except (BaseError, OSError) as error:
            full = "os error 28" in str(error)
            raise (StorageFull if full else Unavailable)(
                f"the blobs in {self._url} cannot be {verb}: {_first_line(error)}.",
                hint="See that the address is right, the store reachable, and access granted.",
            ) from error


def _store(url: str) -> Any:
    if url.startswith("file://"):
        Path(unquote(urlsplit(url).path)).mkdir(parents=True, exist_ok=True)
    try:
        return from_url(url)
    except (BaseError, ValueError) as error:
        raise Unavailable(
            f"{url} cannot be used as a blob store: {_first_line(error)}.",
            hint="Use a directory, or an address such as s3://bucket/prefix.",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _key(digest: str) -> str:
    return f"{digest[:2]}/{digest}"
