"""The FIFO through which a script, in any language, tells metrics and progress: JSON lines.

{"metric": name, "value": number, "step": integer or null} or {"progress": done, "total": number}
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from treadle.interfaces import Channel

_READ_BYTES, _LAST_READS = 64 * 1024, 32
_LINE_BYTES = 64 * 1024  #: what comes without a line's end is no note


class Notes:
    """The reading end. fd: to wait for; readable when there is something to forward."""

    def __init__(self, fd: int, channel: Channel) -> None:
        self.fd, self._channel = fd, channel
        self._rest = b""
        self._complained = False

    def forward(self) -> bool:
        """Pass on what there is; False if that was nothing."""
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._pass_on(line)
        return True

    def finish(self) -> None:
        """Pass on what the script left in the pipe; of those that still write, no more."""
        for _ in range(_LAST_READS):
            if not self.forward():
                break
        if self._rest:
            self._pass_on(self._rest)

    def _pass_on(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            note = json.loads(line)
            if not isinstance(note, dict):
                raise TypeError
            if "metric" in note:
                self._channel.metric(*_metric(note))
            else:
                self._channel.progress(*_progress(note))
        except (ValueError, TypeError, KeyError, RecursionError):
            self._complain(line)

    def _complain(self, line: bytes) -> None:
        """Say once that notes are not understood."""
        if not self._complained:
            self._complained = True
            shown = line[:200].decode("utf-8", "backslashreplace")
            sys.stderr.write(
                f"[treadle: this line in $TREADLE_NOTES is no note and was left out: {shown!r}; "
                'write lines such as {"metric": "loss", "value": 0.5}]\n'
            )
            sys.stderr.flush()


@contextlib.contextmanager
def notes_at(path: str, channel: Channel) -> Iterator[Notes]:
    """A FIFO for the time of a script.

    It is held open for writing too, so that nobody waits to open it, and gone at the end: whoever
    still writes is told so by a signal or an error.
    """
    os.mkfifo(path, 0o600)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield Notes(fd, channel)
    finally:
        os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _metric(note: dict[str, Any]) -> tuple[str, float, int | None]:
    name, step = note["metric"], note.get("step")
    if not isinstance(name, str) or not (step is None or type(step) is int):
        raise TypeError
    if step is not None and not -(2**63) <= step < 2**63:
        raise ValueError
    return name.encode("utf-8", "backslashreplace").decode(), _number(note["value"]), step


def _progress(note: dict[str, Any]) -> tuple[float, float | None]:
    total = note.get("total")
    return _number(note["progress"]), None if total is None else _number(total)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError from error
