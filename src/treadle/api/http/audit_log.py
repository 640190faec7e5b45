"""Who did what: one line of JSON for each request that writes, or was refused.

Lines hold what stands in the head of a request and of its answer, never a body, nor a token.
"""

import io
import logging
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from treadle.api.http.exchange import Exchange
from treadle.model.ids import new_id
from treadle.model.records import OWNER

FILE = "audit.log"
LARGEST_BYTES, OLDER_FILES = 10_000_000, 5
LONGEST_PATH = 500  #: characters
REFUSED = (401, 403)
log = logging.getLogger("treadle.api")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One request. user, token: "" where nobody known asked; a token that does not hold any more
    is named. status: None when the answer never began. made: the Location of what came of it."""

    id: str
    at: datetime
    user: str
    token: str
    address: str  #: "" on the owner's socket
    method: str
    path: str
    status: int | None
    made: str = ""


class AuditLog:
    """The file, which is made with the first line; close it."""

    def __init__(self, data_dir: Path) -> None:
        self._lines = _Lines(
            data_dir / FILE,
            maxBytes=LARGEST_BYTES,
            backupCount=OLDER_FILES,
            encoding="utf-8",
            delay=True,
        )

    def tell(self, exchange: Exchange, at: datetime) -> None:
        """Write the line of a request, if it is one to be told of, when its status is known."""
        operation, token = exchange.operation, exchange.token
        writes = operation is not None and operation.writes
        if not (exchange.status in REFUSED or (writes and exchange.admitted)):
            return
        entry = Entry(
            id=new_id("aud"),
            at=at,
            user=token.user if token else OWNER if exchange.trusted else "",
            token=token.name if token else "",
            address=exchange.address,
            method=exchange.method,
            path=exchange.path[:LONGEST_PATH],
            status=exchange.status or None,
            made=exchange.location,
        )
        self._lines.write(msgspec.json.encode(entry).decode())

    def close(self) -> None:
        self._lines.close()


class _Lines(RotatingFileHandler):
    """Readable by the owner alone; unbuffered, so that a full disk leaves nothing behind that is
    written later. What cannot be written is told once, until it can be again."""

    _broken, _why = False, ""

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        raw = open(os.open(self.baseFilename, flags, 0o600), "ab", buffering=0)
        return io.TextIOWrapper(raw, encoding="utf-8", write_through=True)

    def write(self, line: str) -> None:
        """One line; after one that may have been cut short, on a new one."""
        was_broken, self._broken = self._broken, False
        self.emit(logging.makeLogRecord({"msg": "\n" + line if was_broken else line}))
        if self._broken and not was_broken:
            log.error("the audit log %s cannot be written: %s", self.baseFilename, self._why)

    def handleError(self, record: logging.LogRecord) -> None:
        self._broken, self._why = True, str(sys.exc_info()[1])


def entries(data_dir: Path) -> Iterator[Entry]:
    """All lines that are kept, newest first; such as were cut short are left out."""
    for text in _texts(data_dir / FILE):
        for line in reversed(text.splitlines()):
            try:
                yield msgspec.json.decode(line, type=Entry)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue


def _texts(newest: Path) -> Iterator[bytes]:
    """What is in the files, which may be renamed meanwhile: none is read twice."""
    seen: set[int] = set()
    for path in (newest, *(newest.with_name(f"{FILE}.{n}") for n in range(1, OLDER_FILES + 1))):
        try:
            with path.open("rb") as file:
                number = os.fstat(file.fileno()).st_ino
                if number not in seen:
                    seen.add(number)
                    yield file.read()
        except FileNotFoundError:
            continue
