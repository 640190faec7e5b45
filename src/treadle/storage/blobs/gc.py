"""Free the blobs that nothing refers to."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from treadle.interfaces import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection freed, or would free. kept: how many blobs stay."""

    count: int
    size_bytes: int
    kept: int


def collect(
    blobs: BlobStore,
    referenced: Set[str],
    now: datetime,
    spare: timedelta = timedelta(hours=1),
    dry_run: bool = False,
) -> Collected:
    """Delete the blobs not in `referenced`, sparing those put within the time `spare`.

    Who stores a value refers to it only afterwards; `spare` is the time it has for that.
    """
    put_before = now - spare
    count = size_bytes = kept = 0
    for digest, size, put_at in blobs.list():
        unwanted = digest not in referenced and put_at < put_before
        if unwanted and (dry_run or blobs.delete(digest, put_before=put_before)):
            count += 1
            size_bytes += size
        else:
            kept += 1
    return Collected(count=count, size_bytes=size_bytes, kept=kept)
