"""Immutable bytes by digest: `open_blobs(address)` finds the store for an address."""

from pathlib import Path

from treadle.interfaces import BlobStore
from treadle.storage.blobs.local import LocalBlobs
from treadle.storage.blobs.memory import MemoryBlobs
from treadle.storage.blobs.values import load_value, open_ref, store_encoded, store_value

__all__ = [
    "BlobStore",
    "LocalBlobs",
    "MemoryBlobs",
    "load_value",
    "open_blobs",
    "open_ref",
    "store_encoded",
    "store_value",
]


def open_blobs(address: str, *, fsync: bool = False) -> BlobStore:
    """The store at a directory, or at s3://, gs://, az://, file:// or memory://.

    fsync: survive a power failure too; an object store always does.
    """
    if "://" not in address:
        return LocalBlobs(Path(address), fsync=fsync)
    # obstore is heavy, and a worker on a local store has no need of it.
    from treadle.storage.blobs.objects import ObjectBlobs  # noqa: PLC0415

    return ObjectBlobs(address)
