"""Signals while a run is followed, as messages: asked to abort, or the terminal is gone."""

import os
import signal
import sys
import time
from collections.abc import Callable
from enum import Enum
from types import FrameType, TracebackType
from typing import Any

from treadle.cli import keys
from treadle.cli.printing import INTERRUPTED

SAME_SECONDS = 0.3  #: `timeout`, `make` and the like pass on a Ctrl-C that the terminal sent, too
_SHOW_CURSOR = b"\x1b[?25h\r\n"


class Request(Enum):
    ABORT = "abort"  #: Ctrl-C, or SIGTERM
    LEAVE = "leave"  #: the terminal was closed: go in order, abort nothing


class Signals:
    """While entered, SIGINT, SIGTERM and SIGHUP call `send`; a second SIGINT or SIGTERM leaves at
    once.

    Leaving at once loses nothing: jobs end with their owner, and the next one finds the run where
    it was. Signals ignored from outside (nohup, a background job) stay ignored.
    """

    def __init__(self, send: Callable[[Request], None]) -> None:
        self._send = send
        self._before: dict[int, Any] = {}
        self._asked_at: float | None = None

    def __enter__(self) -> "Signals":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            silence()
            self._send(Request.LEAVE)
        elif self._asked_at is None:
            self._asked_at = time.monotonic()
            self._send(Request.ABORT)
        elif time.monotonic() - self._asked_at > SAME_SECONDS:
            leave_at_once()


def leave_at_once() -> None:
    """End this process now, the cursor visible."""
    keys.show()
    if sys.stderr.isatty():
        os.write(2, _SHOW_CURSOR)
    os._exit(INTERRUPTED)


def silence() -> None:
    """Let what is printed from now on go nowhere: the reader of it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
