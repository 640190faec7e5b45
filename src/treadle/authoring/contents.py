"""Files by their content: read once, and only as a whole."""

import os
import stat

from blake3 import blake3

from treadle.errors import Conflict

_PIECE_BYTES = 1024 * 1024
_TRIES = 3


def digest_of(path: str, status: os.stat_result) -> tuple[str, os.stat_result]:
    """(digest of a file, its status then). status: when it was found.

    Raises Conflict if it goes on changing while it is read, OSError if it cannot be read.
    """
    for _ in range(_TRIES):
        # Not blocking: what was a file may be a pipe by now.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            digest = _digest(descriptor)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(after.st_mode):
            break
        if _same(status, after):
            return digest, after
        status = os.stat(path)
    raise Conflict(
        f"{path} changes while it is read.",
        hint="Run it again when what writes it is done, or name it in .treadleignore.",
    )


def _digest(descriptor: int) -> str:
    hasher = blake3()
    while piece := os.read(descriptor, _PIECE_BYTES):
        hasher.update(piece)
    return hasher.hexdigest()


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_mtime_ns, before.st_ctime_ns, before.st_size, before.st_ino) == (
        after.st_mtime_ns,
        after.st_ctime_ns,
        after.st_size,
        after.st_ino,
    )
