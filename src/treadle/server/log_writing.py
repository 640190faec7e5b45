"""The server's log on standard error: lines for people, or one JSON document a line.

Nobody waits for the log: a thread of its own writes it, and what a reader does not take in time is
counted and left out. Moves of jobs and answers to requests, of which a busy server has thousands a
second, are told up to `MOST_A_SECOND`; `debug` tells all.
"""

import json
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

BRAND = "treadle"
FREQUENT = ("treadle.moves", "treadle.access")
MOST_A_SECOND = 100  #: records of each of these loggers
MOST_WAITING = 10_000  #: lines that are not yet written
PATIENCE_SECONDS = 2.0  #: at the end, with a reader who takes nothing
FACTS = ("job", "run", "user", "address", "operation", "status", "ms")  #: what a record may carry
SAID = ("operation", "status")  #: by the message of a line
_TOKEN = re.compile(r"trd_([A-Za-z0-9]+)_[A-Za-z0-9_\-]{8,}")
_UNSEEN = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}

Format = Literal["lines", "json"]


@contextmanager
def logging_to_stderr(level: str, form: Format) -> Iterator[None]:
    """While inside, what Treadle reports at this level, and others' warnings, are written."""
    writer = Writer(2)
    writer.setFormatter(AsJson() if form == "json" else AsLines())
    if level != "debug":
        for name in FREQUENT:
            logging.getLogger(name).addFilter(Sparing(MOST_A_SECOND))
    logging.getLogger(BRAND).setLevel(level.upper())
    root = logging.getLogger()
    root.addHandler(writer)
    try:
        yield
    finally:
        root.removeHandler(writer)
        writer.close()


class Writer(logging.Handler):
    """Writes to a file descriptor in a thread of its own, and drops what that cannot take."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._left_out = 0
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._left_out += 1
        except (TypeError, ValueError):  # arguments that do not fit the message
            self.handleError(record)

    def close(self) -> None:
        """Write what is left, if it is taken."""
        try:
            self._lines.put(None, timeout=PATIENCE_SECONDS)
        except queue.Full:
            pass
        else:
            self._thread.join(PATIENCE_SECONDS)
        super().close()

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            self._write(f"{line}\n".encode("utf-8", "backslashreplace"))
            if left_out := self._left_out:
                self._left_out = 0
                self._write(f"... {left_out} lines of the log were left out\n".encode())

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # the terminal was closed: nobody reads it any more
            pass


class Sparing(logging.Filter):
    """Lets through so many records a second, and warnings; the next one says how many it did
    not."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._most, self._second, self._seen = most, 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            return True
        second = int(self._clock())
        if second != self._second:
            record.left_out = max(0, self._seen - self._most)
            self._second, self._seen = second, 0
        self._seen += 1
        return self._seen <= self._most


class AsLines(logging.Formatter):
    """Time, level, logger, message, then what is known of job, run and user."""

    def format(self, record: logging.LogRecord) -> str:
        known = _facts(record).items()
        facts = "".join(f" {name}={value}" for name, value in known if name not in SAID)
        text = f"{record.getMessage()}{facts}".replace("\n", "\\n").translate(_UNSEEN)
        line = f"{_time(record)} {record.levelname:<7} {record.name}: {text}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_tokens(line)


class AsJson(logging.Formatter):
    """The same as a JSON document."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return without_tokens(json.dumps(document, ensure_ascii=False, default=str))


def without_tokens(text: str) -> str:
    """The text, with the secret of each token in it left out."""
    return _TOKEN.sub(r"trd_\1_...", text) if "trd_" in text else text


def _facts(record: logging.LogRecord) -> dict[str, object]:
    given = {name: getattr(record, name, None) for name in (*FACTS, "left_out")}
    return {name: value for name, value in given.items() if value not in (None, "", 0)}


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"
