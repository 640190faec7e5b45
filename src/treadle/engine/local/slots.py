"""The slots of an engine: attempts are begun in them, what they say is heard, their end is told.

An attempt ends in one of two ways:

- its slot says so and keeps nothing of it: Ended at once, and the slot is kept warm;
- in any other way: Ended when the fork server says that the slot's whole tree is gone.
"""

import asyncio
from typing import Any, Literal

from treadle.engine.local import builds, endings
from treadle.engine.local.attempt import RunningAttempt
from treadle.engine.local.forker import Forker
from treadle.engine.local.line import Garbled, SlotLine
from treadle.engine.local.options import LocalOptions
from treadle.engine.local.slot_handle import SlotHandle
from treadle.engine.local.warm_slots import Key, WarmSlots
from treadle.engine.note_stream import NoteStream
from treadle.model.orders import AttemptKey, Order, Report
from treadle.model.records import Environment

_DRAIN_READS = 64
_RETIRE_SECONDS = 2.0  #: for a slot no longer needed to put its things away


def key_of(order: Order) -> Key:
    """What a slot may serve: scripts it never runs itself, so that any slot serves any of them.

    Imports start in the code's folder: another folder may have other modules of the same names.
    """
    if order.kind in ("script", builds.KIND):
        return order.kind, "", order.execution.cpus
    code = f"{order.code.digest}/{order.code.folder}"
    return order.environment.key, code, order.execution.cpus


class Slots:
    """All slots, of whichever fork server, and the attempts in them."""

    def __init__(self, options: LocalOptions, notes: NoteStream) -> None:
        self._options, self._notes = options, notes
        self._loop = asyncio.get_running_loop()
        self._slots: dict[int, SlotHandle] = {}
        self._warm: WarmSlots[SlotHandle] = WarmSlots(options.slot_count)
        self._attempts: dict[AttemptKey, SlotHandle] = {}
        self._paused: list[SlotHandle] = []
        self._last_number = 0

    def begin(self, forker: Forker, running: RunningAttempt) -> None:
        """Perform the attempt in a warm slot or a new one of this fork server."""
        order = running.order
        key = key_of(order)
        slot = self._warm_slot(key, order)
        if slot is None or not slot.line.send(order):
            try:
                slot = self._new_slot(forker, key)
            except OSError as error:
                why = f"A process cannot be started: {error.strerror}."
                running.ended(endings.not_started(why))
                return
            slot.line.send(order)
        slot.running = running
        self._attempts[order.attempt] = slot
        if order.execution.memory_bytes is not None:
            forker.ask("watch", slot.number, order.execution.memory_bytes)
        if slot.pid is not None:  # warm: it starts at once, and leaves it to us to say so
            self._started(slot, running, slot.pid)

    def end_attempt(self, attempt: AttemptKey, grace_seconds: float) -> None:
        """Ask for its end; unknown ones are ignored."""
        slot = self._attempts.get(attempt)
        if slot is not None and slot.running is not None:
            slot.running.cause = "abort"
            self._end(slot, grace_seconds, "abort")

    def of(self, forker: Forker) -> list[SlotHandle]:
        return [slot for slot in self._slots.values() if slot.forker is forker]

    def close(self) -> None:
        for slot in list(self._slots.values()):
            self._forget(slot)

    def tidy(self) -> None:
        """Give up slots that have been idle for long."""
        for slot in self._warm.idle_since(self._loop.time() - self._options.idle_seconds):
            self._end(slot, _RETIRE_SECONDS, "retired")

    def environments(self) -> set[Environment]:
        """Those built ones that attempts under way use."""
        running = (slot.running for slot in self._attempts.values())
        return {attempt.built for attempt in running if attempt and attempt.built}

    # their life

    def _warm_slot(self, key: Key, order: Order) -> SlotHandle | None:
        """An idle slot for the order; none that earlier jobs have filled much of its memory."""
        slot = self._warm.take(key)
        limit = order.execution.memory_bytes
        if slot is not None and limit is not None and slot.grown_bytes > limit // 8:
            self._end(slot, _RETIRE_SECONDS, "retired")
            return None
        return slot

    def _new_slot(self, forker: Forker, key: Key) -> SlotHandle:
        self._last_number += 1
        line = SlotLine(self._loop)
        slot = SlotHandle(self._last_number, key, line, forker, self._loop.time())
        try:
            forker.ask("fork", slot.number, key[2], fds=line.far_ends)
        except OSError:
            line.close()
            raise
        finally:
            line.close_far_ends()
        self._slots[slot.number] = slot
        slot.line.listen(
            lambda: self._line_readable(slot),
            lambda fd, name: self._output_readable(slot, fd, name),
        )
        return slot

    def _end(self, slot: SlotHandle, grace_seconds: float, why: str) -> None:
        """Ask for the end of the slot's tree; `gone` follows."""
        slot.ending = True
        self._warm.discard(slot)
        slot.forker.ask("end", slot.number, grace_seconds, why)

    def _forget(self, slot: SlotHandle) -> None:
        slot.line.close()
        self._warm.discard(slot)
        self._slots.pop(slot.number, None)
        if slot.running is not None:
            self._attempts.pop(slot.running.key, None)
            if slot.running.timer is not None:
                slot.running.timer.cancel()

    def _pause_if_full(self, slot: SlotHandle) -> None:
        if self._notes.full:
            slot.line.pause()
            self._paused.append(slot)

    def resume(self) -> None:
        """There is room for notes again."""
        paused, self._paused = self._paused, []
        for slot in paused:
            if slot.number in self._slots:
                slot.line.resume()

    # what they say

    def _line_readable(self, slot: SlotHandle) -> None:
        if not self._read_line(slot):
            slot.line.forget_line()
            self._end(slot, 0, "closed")
        self._pause_if_full(slot)

    def _read_line(self, slot: SlotHandle) -> bool:
        """Take what frames there are; False if no more will come."""
        try:
            frames = slot.line.receive()
            if frames is None:
                return False
            for frame in frames:
                self._heard(slot, frame)
        except (Garbled, ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            return False  # not ours: the job's code wrote into the line
        return True

    def _heard(self, slot: SlotHandle, frame: Any) -> None:
        running = slot.running
        if running is None:
            return
        match frame[0]:
            case "s":
                slot.pid = int(frame[1])
                self._started(slot, running, slot.pid)
            case "m":
                running.measured(str(frame[1]), float(frame[2]), frame[3])
            case "p":
                whole = None if frame[2] is None else float(frame[2])
                running.progressed(float(frame[1]), whole)
            case "e":
                running.report = Report.from_wire(frame[1])
                self._said_ended(slot, running, str(frame[2]), int(frame[3]))

    def _started(self, slot: SlotHandle, running: RunningAttempt, pid: int) -> None:
        running.started(pid, alone=len(self._attempts) == 1)
        timeout = running.order.execution.timeout_seconds
        if timeout is not None:
            running.timer = self._loop.call_later(timeout, self._timed_out, slot, running)

    def _timed_out(self, slot: SlotHandle, running: RunningAttempt) -> None:
        if slot.running is running and not running.cause:
            running.cause = "timeout"
            self._end(slot, running.order.execution.grace_seconds, "timeout")

    def _said_ended(
        self, slot: SlotHandle, running: RunningAttempt, left: str, resident_bytes: int
    ) -> None:
        assert running.report is not None
        slot.performed(resident_bytes)
        if left or slot.ending or running.report.outcome == "aborted":
            self._end(slot, _RETIRE_SECONDS, "retired")  # Ended follows when all of it is gone
            return
        self._drain_output(slot)
        self._settle(slot, running.report)
        if self._worn(slot):
            self._end(slot, _RETIRE_SECONDS, "retired")
        elif (surplus := self._warm.add(slot, slot.key, self._loop.time())) is not None:
            self._end(surplus, _RETIRE_SECONDS, "retired")

    def _worn(self, slot: SlotHandle) -> bool:
        options = self._options
        return (
            slot.jobs >= options.jobs_per_slot
            or self._loop.time() - slot.born > options.slot_age_seconds
            or slot.grown_bytes > options.slot_growth_bytes
            or slot.key[0] == builds.KIND
        )

    def _settle(self, slot: SlotHandle, report: Report) -> None:
        running, slot.running = slot.running, None
        if running is None:
            return
        del self._attempts[running.key]
        if running.order.execution.memory_bytes is not None:
            slot.forker.ask("watch", slot.number, None)
        running.ended(report)

    def _output_readable(self, slot: SlotHandle, fd: int, name: Literal["out", "err"]) -> None:
        data = slot.line.read_output(fd)
        if data == b"":
            slot.line.forget(fd)
        elif data and slot.running is not None:
            slot.running.printed(name, data)
            self._pause_if_full(slot)

    def _drain_output(self, slot: SlotHandle) -> None:
        """All that was printed before now; what printed it is silent or dead."""
        for fd, name in slot.line.pipes:
            while data := slot.line.read_output(fd):
                if slot.running is not None:
                    slot.running.printed(name, data)
        if slot.running is not None:
            slot.running.all_printed()

    # what the fork servers say of them

    def told(self, verb: str, number: int, rest: Any) -> None:
        """["failed", slot, why] or ["gone", slot, facts] of a fork server."""
        slot = self._slots.get(number)
        if slot is None:
            return
        if verb == "failed":
            self._settle(slot, endings.not_started(rest))
            self._forget(slot)
        elif verb == "gone":
            self._gone(slot, rest)

    def _gone(self, slot: SlotHandle, facts: endings.Gone) -> None:
        slot.ending = True
        self._drain_line(slot)
        running = slot.running
        if running is not None:
            self._drain_output(slot)
            report = endings.report_of(
                running.report,
                running.cause,
                facts,
                running.order.execution,
                running.last_lines(),
            )
            self._settle(slot, report)
        self._forget(slot)

    def lost(self, forker: Forker, report: Report) -> None:
        """The fork server has ended, and its slots with it: what they did not say is this."""
        for slot in self.of(forker):
            self._drain_line(slot)
            self._drain_output(slot)
            said = slot.running.report if slot.running else None
            self._settle(slot, said if said and said.outcome == "completed" else report)
            self._forget(slot)

    def _drain_line(self, slot: SlotHandle) -> None:
        """Read what a dead slot still said, up to what a socket can hold."""
        for _ in range(_DRAIN_READS):
            if not self._read_line(slot):
                return
