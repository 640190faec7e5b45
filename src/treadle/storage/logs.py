"""What jobs printed: one append-only file per attempt, made at its first byte."""

import errno
import os
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Literal

from treadle.errors import NotFound, StorageFull, Unavailable
from treadle.storage.trees import remove_tree, taken_away

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_TAIL_BYTES = 256 * 1024  #: how far back `tail` looks
_Key = tuple[str, str, int]


class LogStore:
    """Logs under a directory, as `<stream id>/<job id>.<attempt>.log`. Thread-safe.

    stream_id: the run's id, or the job's when it has no run. At most `open_files` files are kept
    open for appending; reading needs no owner and opens anew. Close it when done.
    """

    def __init__(self, directory: Path | str, open_files: int = 64) -> None:
        self.directory = Path(directory)
        self._open_files = open_files
        self._descriptors: OrderedDict[_Key, int] = OrderedDict()
        self._lock = threading.Lock()

    def append(
        self,
        stream_id: str,
        job_id: str,
        attempt: int,
        data: bytes,
        stream: Literal["out", "err"] = "out",
    ) -> int:
        """Add what was printed; return the log's new size in bytes.

        stream: output and errors are kept in one log, in order of arrival, as a terminal shows
        them. Raises StorageFull; a part of the data may be in the log then.
        """
        try:
            with self._lock:
                descriptor = self._descriptor((stream_id, job_id, attempt))
                left = memoryview(data)
                while left:
                    left = left[os.write(descriptor, left) :]
                return os.fstat(descriptor).st_size
        except OSError as error:
            raise self._translated(error) from error

    def read(
        self, stream_id: str, job_id: str, attempt: int, *, offset: int = 0, limit: int = 1 << 20
    ) -> bytes:
        """At most `limit` bytes from `offset` on; none where nothing was printed (yet)."""
        try:
            with open(self.path(stream_id, job_id, attempt), "rb", buffering=0) as file:
                return os.pread(file.fileno(), limit, offset)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._translated(error) from error

    def size(self, stream_id: str, job_id: str, attempt: int) -> int:
        """Size in bytes; 0 where nothing was printed (yet)."""
        try:
            return self.path(stream_id, job_id, attempt).stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._translated(error) from error

    def tail(self, stream_id: str, job_id: str, attempt: int, *, lines: int = 20) -> bytes:
        """The last lines, of at most 256 KiB."""
        return self.end(stream_id, job_id, attempt, lines=lines)[1]

    def end(self, stream_id: str, job_id: str, attempt: int, *, lines: int) -> tuple[int, bytes]:
        """(where they begin in the log, the last lines of at most 256 KiB)"""
        size = self.size(stream_id, job_id, attempt)
        offset = max(0, size - _TAIL_BYTES)
        end = self.read(stream_id, job_id, attempt, offset=offset, limit=_TAIL_BYTES)
        shown = b"".join(end.splitlines(keepends=True)[-lines:]) if lines > 0 else b""
        return offset + len(end) - len(shown), shown

    def remove(self, stream_id: str) -> None:
        """Forget all logs of a run, or of a job without a run; none is fine.

        Who appends meanwhile does not wait for it.
        """
        folder = self.directory / _checked(stream_id)
        with self._lock:
            for key in [key for key in self._descriptors if key[0] == stream_id]:
                os.close(self._descriptors.pop(key))
            taken = taken_away(folder)
        if taken is not None:
            remove_tree(taken)

    def close(self) -> None:
        """Close all files; appending opens them again."""
        with self._lock:
            while self._descriptors:
                os.close(self._descriptors.popitem()[1])

    def path(self, stream_id: str, job_id: str, attempt: int) -> Path:
        """Where the log is, or would be. Raises NotFound for what is no id."""
        return self.directory / _checked(stream_id) / f"{_checked(job_id)}.{attempt:d}.log"

    def _descriptor(self, key: _Key) -> int:
        descriptor = self._descriptors.get(key)
        if descriptor is None:
            descriptor = _opened(self.path(*key))
            self._descriptors[key] = descriptor
            if len(self._descriptors) > self._open_files:
                os.close(self._descriptors.popitem(last=False)[1])
        self._descriptors.move_to_end(key)
        return descriptor

    def _translated(self, error: OSError) -> StorageFull | Unavailable:
        if error.errno in _FULL:
            return StorageFull(
                f"the disk of {self.directory} is full ({error.strerror}); "
                "what jobs print is no longer kept.",
                hint="Free some space, for instance with `treadle gc`.",
            )
        return Unavailable(
            f"the logs in {self.directory} cannot be used: {error.strerror or error}.",
            hint="See that the directory exists and that you own it.",
        )


def _opened(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def _checked(identifier: str) -> str:
    if not _NAME.fullmatch(identifier):
        raise NotFound(f"{identifier!r} is not an id.")
    return identifier
