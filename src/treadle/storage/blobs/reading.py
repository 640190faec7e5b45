"""Read a file of bytes piece by piece: never much of it in memory, however large it is.

Pieces are read, not mapped: a cold disk then keeps waiting only the thread that reads, pages do
not pile up in the process, and a file that somebody cuts short is an error instead of a signal.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

from blake3 import blake3

PIECE_BYTES = 1024 * 1024
_MOST_CHECKED = 10_000
Read = Callable[[int, int], bytes]  #: (offset, size) -> up to that many bytes, b"" at the end
Verify = Callable[[str], None]  #: takes the digest that was found; raises DamagedBlob


def read_file(descriptor: int) -> Read:
    """Reads from an open file."""
    return lambda offset, size: os.pread(descriptor, size, offset)


def state_of(descriptor: int) -> tuple[int, int, int]:
    """(size in bytes, inode, mtime in ns); a file that was written to has another."""
    found = os.fstat(descriptor)
    return found.st_size, found.st_ino, found.st_mtime_ns


def pieces(read: Read, start: int, stop: int) -> Iterator[bytes]:
    """What lies from start up to stop; it ends early where the bytes do."""
    while start < stop and (piece := read(start, min(PIECE_BYTES, stop - start))):
        yield piece
        start += len(piece)


def verified(arriving: Iterator[bytes], verify: Verify) -> Iterator[bytes]:
    """The same pieces; the last comes only when all were hashed and found right."""
    hasher, held = blake3(), b""
    for piece in arriving:
        hasher.update(piece)
        if held:
            yield held
        held = piece
    verify(hasher.hexdigest())
    if held:
        yield held


class Checked:
    """The blobs that were found right, each in the state that its file had; the oldest go first."""

    def __init__(self) -> None:
        self._states: dict[str, Any] = {}

    def knows(self, digest: str, state: Any) -> bool:
        return bool(self._states.get(digest) == state)

    def remember(self, digest: str, state: Any) -> None:
        if len(self._states) >= _MOST_CHECKED:
            self._states.pop(next(iter(self._states)), None)
        self._states[digest] = state
