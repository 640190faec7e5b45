"""An attempt as the owner sees it: counts its notes, keeps its output to the quota."""

import asyncio
from typing import Literal

from treadle.engine.note_stream import NoteStream
from treadle.model.orders import Ended, Measured, Order, Printed, Progressed, Report, Started

_TAIL_BYTES = 4096
Stream = Literal["out", "err"]
Cause = Literal["", "abort", "timeout"]


class RunningAttempt:
    """One order under way. report: what the slot said, once it did. cause: why it is ended."""

    __slots__ = (
        "cause", "dropped_bytes", "key", "notes", "number", "order", "pid", "printed_bytes",
        "report", "tail", "timer",
    )  # fmt: skip

    def __init__(self, order: Order, notes: NoteStream) -> None:
        self.order, self.key, self.notes = order, order.attempt, notes
        self.number = self.printed_bytes = self.dropped_bytes = 0
        self.pid: int | None = None
        self.report: Report | None = None
        self.cause: Cause = ""
        self.tail = b""
        self.timer: asyncio.TimerHandle | None = None

    def started(self, pid: int, *, alone: bool) -> None:
        """alone: nothing else is under way, so that the ledger may as well hear it at once."""
        self.pid = pid
        self.number += 1
        self.notes.put(Started(self.key, self.number, pid), 64, soon=alone)

    def measured(self, name: str, value: float, step: int | None) -> None:
        self.number += 1
        self.notes.put(Measured(self.key, self.number, name, value, step), 64 + len(name))

    def progressed(self, done: float, total: float | None) -> None:
        self.number += 1
        self.notes.put(Progressed(self.key, self.number, done, total), 64)

    def printed(self, stream: Stream, data: bytes) -> None:
        """Pass output on as far as the quota goes; count the rest."""
        self.tail = (
            (self.tail + data)[-_TAIL_BYTES:] if len(data) < _TAIL_BYTES else data[-_TAIL_BYTES:]
        )
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
        if self.dropped_bytes:
            limit = self.order.output_limit_bytes
            mark = (
                f"\n[treadle: {self.dropped_bytes:,} bytes of output were dropped here; "
                f"a job may print {limit:,} bytes]\n"
            )
            self._print("err", mark.encode())
        self.number += 1
        self.notes.put(Ended(self.key, self.number, report), 256)

    def last_lines(self) -> str:
        return self.tail.decode("utf-8", "replace")
