"""An attempt as the owner sees it: counts its notes, keeps its output to the quota and masked."""

import asyncio
from dataclasses import replace
from typing import Literal, cast

from treadle.engine.local import endings
from treadle.engine.local.masking import masker_of
from treadle.engine.note_stream import NoteStream
from treadle.model.orders import (
    Delayed,
    Ended,
    Measured,
    Order,
    Printed,
    Progressed,
    Report,
    Started,
)
from treadle.model.records import Environment

_TAIL_BYTES = 4096
Stream = Literal["out", "err"]
Cause = Literal["", "abort", "timeout"]


class RunningAttempt:
    """One order under way. report: what the slot said, once it did. cause: why it is ended.

    built: the environment that was built for it, if one was.
    """

    __slots__ = (
        "_masker", "_tail", "_tail_of_errors", "built", "cause", "dropped_bytes", "key", "notes",
        "number", "order", "pid", "printed_bytes", "report", "timer",
    )  # fmt: skip

    def __init__(self, order: Order, notes: NoteStream) -> None:
        self.order, self.key, self.notes = order, order.attempt, notes
        self.number = self.printed_bytes = self.dropped_bytes = 0
        self.pid: int | None = None
        self.report: Report | None = None
        self.built: Environment | None = None
        self.cause: Cause = ""
        self.timer: asyncio.TimerHandle | None = None
        self._tail = self._tail_of_errors = b""
        self._masker = masker_of(order.secrets) if order.secrets else None

    def use(self, interpreter: str) -> None:
        """Its environment is there: this interpreter."""
        self.built = self.order.environment
        self.order = replace(self.order, environment=Environment(interpreter=interpreter))

    def delayed(self, reason: str) -> None:
        self.number += 1
        self.notes.put(Delayed(self.key, self.number, reason), 64, soon=True)

    def started(self, pid: int, *, alone: bool) -> None:
        """alone: nothing else is under way, so that the ledger may as well hear it at once."""
        self.pid = pid
        self.number += 1
        self.notes.put(Started(self.key, self.number, pid), 64, soon=alone)

    def measured(self, name: str, value: float, step: int | None) -> None:
        self.number += 1
        name = self._masker.text(name) if self._masker else name
        self.notes.put(Measured(self.key, self.number, name, value, step), 64 + len(name))

    def progressed(self, done: float, total: float | None) -> None:
        self.number += 1
        self.notes.put(Progressed(self.key, self.number, done, total), 64)

    def printed(self, stream: Stream, data: bytes) -> None:
        """Pass output on, masked, as far as the quota goes; count the rest."""
        self._pass_on(stream, self._masker.feed(stream, data) if self._masker else data)

    def all_printed(self) -> None:
        """Nothing more will come: what might have been the beginning of a secret is none."""
        if self._masker:
            for stream, data in self._masker.rest():
                self._pass_on(cast("Stream", stream), data)

    def _pass_on(self, stream: Stream, data: bytes) -> None:
        self._tail = _tail(self._tail, data)
        if stream == "err":
            self._tail_of_errors = _tail(self._tail_of_errors, data)
        room = self.order.output_limit_bytes - self.printed_bytes
        if len(data) > room:
            self.dropped_bytes += len(data) - max(room, 0)
            data = data[: max(room, 0)]
        if data:
            self.printed_bytes += len(data)
            self._print(stream, data)

    def _print(self, stream: Stream, data: bytes) -> None:
        self.number += 1
        self.notes.put(Printed(self.key, self.number, stream, data), 64 + len(data))

    def ended(self, report: Report) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.all_printed()
        if self.dropped_bytes:
            limit = self.order.output_limit_bytes
            mark = (
                f"\n[treadle: {self.dropped_bytes:,} bytes of output were dropped here; "
                f"a job may print {limit:,} bytes]\n"
            )
            self._print("err", mark.encode())
        if report.failure is not None:
            report = endings.with_last_words(
                report, self.order.kind, self.last_lines(), _text(self._tail_of_errors)
            )
        self.number += 1
        report = self._masker.report(report) if self._masker else report
        self.notes.put(Ended(self.key, self.number, report), 256)

    def last_lines(self) -> str:
        return _text(self._tail)


def _tail(before: bytes, data: bytes) -> bytes:
    if len(data) >= _TAIL_BYTES:
        return data[-_TAIL_BYTES:]
    return (before + data)[-_TAIL_BYTES:]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
