"""LocalEngine: jobs as process trees of this machine, forked by an exec'd fork server.

The owner talks to each slot directly (line.py); the fork server (fork_server.py) only forks,
kills, and proves that nothing is left. An attempt ends in one of two ways:

- its slot says so and keeps nothing of it: Ended at once, and the slot is kept warm;
- in any other way: Ended when the fork server says that the slot's whole tree is gone.

Everything here runs in the thread of one event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from types import TracebackType
from typing import Any, Literal

from treadle.engine.local import endings, process_tree
from treadle.engine.local.attempt import RunningAttempt
from treadle.engine.local.line import Garbled, SlotLine
from treadle.engine.local.options import LocalOptions
from treadle.engine.local.server_handle import ForkServerHandle
from treadle.engine.local.slot_handle import SlotHandle
from treadle.engine.local.warm_slots import Key, WarmSlots
from treadle.engine.note_stream import NoteStream
from treadle.interfaces import Capacity, Engine
from treadle.model.orders import AttemptKey, Note, Order, Report

_DRAIN_READS = 64
_RETIRE_SECONDS = 2.0  #: for a slot no longer needed to put its things away


class LocalEngine(Engine):
    """The engine of interfaces.Engine on this machine."""

    def __init__(self, options: LocalOptions) -> None:
        process_tree.require_linux()
        self._options = options
        self._notes = NoteStream(options.notes_limit, options.notes_limit_bytes, self._resume)
        self._slots: dict[int, SlotHandle] = {}
        self._warm: WarmSlots[SlotHandle] = WarmSlots(options.slot_count)
        self._attempts: dict[AttemptKey, SlotHandle] = {}
        self._waiting: dict[AttemptKey, Order] = {}  # while the fork server is replaced
        self._paused: list[SlotHandle] = []
        self._server: ForkServerHandle | None = None
        self._replacing: asyncio.Task[None] | None = None
        self._janitor: asyncio.TimerHandle | None = None
        self._last_number = 0
        self._false_starts = 0  #: of the fork server, since it last said that it was ready

    # lifetime

    async def __aenter__(self) -> "LocalEngine":
        self._loop = asyncio.get_running_loop()
        self._start_server()
        self._tidy()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._janitor is not None:
            self._janitor.cancel()
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.gather(self._replacing, return_exceptions=True)
        server, self._server = self._server, None
        if server is not None:
            await server.end()
        for slot in list(self._slots.values()):
            self._forget(slot)
        await self._loop.run_in_executor(None, process_tree.sweep, self._options.mark)
        self._notes.close()

    def _start_server(self) -> None:
        self._server = ForkServerHandle(self._options.mark, self._told, self._server_lost)

    # the five verbs

    def capacity(self) -> Capacity:
        options = self._options
        return Capacity(
            slots=options.slot_count, cpus=options.cpus, memory_bytes=options.memory_bytes
        )

    def start(self, order: Order) -> None:
        if self._server is None:
            self._waiting[order.attempt] = order
            return
        key = order.environment.key, order.code.digest, order.execution.cpus
        slot = self._warm_slot(key, order)
        if slot is None or not slot.line.send(order):
            try:
                slot = self._new_slot(key)
            except OSError as error:
                why = f"A process cannot be started: {error.strerror}."
                RunningAttempt(order, self._notes).ended(endings.not_started(why))
                return
            slot.line.send(order)
        slot.running = RunningAttempt(order, self._notes)
        self._attempts[order.attempt] = slot
        if order.execution.memory_bytes is not None:
            self._server.ask("watch", slot.number, order.execution.memory_bytes)
        if slot.pid is not None:  # warm: it starts at once, and leaves it to us to say so
            self._started(slot, slot.running, slot.pid)

    def abort(self, attempt: AttemptKey, *, grace_seconds: float) -> None:
        if (order := self._waiting.pop(attempt, None)) is not None:
            RunningAttempt(order, self._notes).ended(Report(outcome="aborted"))
        slot = self._attempts.get(attempt)
        if slot is not None and slot.running is not None:
            slot.running.cause = "abort"
            self._end(slot, grace_seconds, "abort")

    async def adopt(self, attempts: Collection[AttemptKey]) -> set[AttemptKey]:
        """Local slots die with their owner: what is left of them is killed, none is adopted."""
        spare = set(process_tree.tree(self._server.pid)) if self._server else set()
        sweep = process_tree.sweep
        await self._loop.run_in_executor(None, sweep, self._options.mark, spare)
        return set()

    def notes(self) -> AsyncIterator[Sequence[Note]]:
        return self._notes.batches()

    # slots

    def _warm_slot(self, key: Key, order: Order) -> SlotHandle | None:
        """An idle slot for the order; none that earlier jobs have filled much of its memory."""
        slot = self._warm.take(key)
        limit = order.execution.memory_bytes
        if slot is not None and limit is not None and slot.grown_bytes > limit // 8:
            self._end(slot, _RETIRE_SECONDS, "retired")
            return None
        return slot

    def _new_slot(self, key: Key) -> SlotHandle:
        assert self._server is not None
        self._last_number += 1
        line = SlotLine(self._loop)
        slot = SlotHandle(self._last_number, key, line, self._loop.time())
        try:
            self._server.ask("fork", slot.number, key[2], fds=line.far_ends)
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
        if self._server is not None:
            self._server.ask("end", slot.number, grace_seconds, why)

    def _forget(self, slot: SlotHandle) -> None:
        slot.line.close()
        self._warm.discard(slot)
        self._slots.pop(slot.number, None)
        if slot.running is not None:
            self._attempts.pop(slot.running.key, None)
            if slot.running.timer is not None:
                slot.running.timer.cancel()

    def _tidy(self) -> None:
        """Once in a while, give up slots that have been idle for long."""
        for slot in self._warm.idle_since(self._loop.time() - self._options.idle_seconds):
            self._end(slot, _RETIRE_SECONDS, "retired")
        wait = min(30.0, self._options.idle_seconds)
        self._janitor = self._loop.call_later(wait, self._tidy)

    def _pause_if_full(self, slot: SlotHandle) -> None:
        if self._notes.full:
            slot.line.pause()
            self._paused.append(slot)

    def _resume(self) -> None:
        paused, self._paused = self._paused, []
        for slot in paused:
            if slot.number in self._slots:
                slot.line.resume()

    # what slots say

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
        )

    def _settle(self, slot: SlotHandle, report: Report) -> None:
        running, slot.running = slot.running, None
        if running is None:
            return
        del self._attempts[running.key]
        if running.order.execution.memory_bytes is not None and self._server is not None:
            self._server.ask("watch", slot.number, None)
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

    # what the fork server says

    def _told(self, message: list[Any]) -> None:
        verb, *rest = message
        if verb == "ready":
            self._false_starts = 0
            return
        slot = self._slots.get(rest[0])
        if slot is None:
            return
        if verb == "failed":
            self._settle(slot, endings.not_started(rest[1]))
            self._forget(slot)
        elif verb == "gone":
            self._gone(slot, rest[1])

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

    def _drain_line(self, slot: SlotHandle) -> None:
        """Read what a dead slot still said, up to what a socket can hold."""
        for _ in range(_DRAIN_READS):
            if not self._read_line(slot):
                return

    def _server_lost(self) -> None:
        """The fork server was killed, and its slots with it: sweep, tell, begin again."""
        server, self._server = self._server, None
        if server is not None:
            self._replacing = self._loop.create_task(
                self._replace(server), name="replace the fork server"
            )

    async def _replace(self, server: ForkServerHandle) -> None:
        await server.end()
        await self._loop.run_in_executor(None, process_tree.sweep, self._options.mark)
        for slot in list(self._slots.values()):
            self._drain_line(slot)
            self._drain_output(slot)
            said = slot.running.report if slot.running else None
            self._settle(slot, said if said and said.outcome == "completed" else endings.LOST)
            self._forget(slot)
        await self._start_again()
        waiting, self._waiting = self._waiting, {}
        for order in waiting.values():
            self.start(order)

    async def _start_again(self) -> None:
        """Start a fork server, less and less eagerly while that does not help."""
        while True:
            self._false_starts += 1
            await asyncio.sleep(min(5.0, 0.05 * (2**self._false_starts - 2)))
            try:
                self._start_server()
            except OSError:  # no process or descriptor to be had just now
                continue
            return
