"""LocalEngine: jobs as process trees of this machine, forked by exec'd fork servers.

The owner talks to each slot directly (line.py); a fork server (fork_server.py) only forks, kills,
and proves that nothing is left. There is one in the engine's own Python, and one for each other
interpreter that functions run in. Everything here runs in the thread of one event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from types import TracebackType
from typing import Any

from treadle.engine.local import process_tree
from treadle.engine.local.attempt import RunningAttempt
from treadle.engine.local.builds import Builds
from treadle.engine.local.endings import not_executable
from treadle.engine.local.forker import Forker
from treadle.engine.local.options import LocalOptions
from treadle.engine.local.slots import Slots
from treadle.engine.note_stream import NoteStream
from treadle.errors import InvalidDefinition
from treadle.interfaces import Capacity, Engine
from treadle.model.orders import AttemptKey, Note, Order, Report
from treadle.runtime.programs import interpreter_in

_TIDY_SECONDS = 30.0


class LocalEngine(Engine):
    """The engine of interfaces.Engine on this machine."""

    def __init__(self, options: LocalOptions) -> None:
        process_tree.require_linux()
        self._options = options
        self._notes = NoteStream(options.notes_limit, options.notes_limit_bytes, self._resume)
        self._builds = Builds(options.environments, self._notes, self._begin, self._end_build)
        self._others: dict[str, Forker] = {}  # by interpreter
        self._janitor: asyncio.TimerHandle | None = None

    # lifetime

    async def __aenter__(self) -> "LocalEngine":
        self._loop = asyncio.get_running_loop()
        self._slots = Slots(self._options, self._notes)
        self._own = Forker("", self._options, self)
        self._own.start()
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
        await asyncio.gather(*(forker.end() for forker in self._forkers()))
        self._slots.close()
        self._builds.close()
        await self._loop.run_in_executor(None, process_tree.sweep, self._options.mark)
        self._notes.close()

    # the five verbs

    def capacity(self) -> Capacity:
        options = self._options
        return Capacity(
            slots=options.slot_count, cpus=options.cpus, memory_bytes=options.memory_bytes
        )

    def start(self, order: Order) -> None:
        running = RunningAttempt(order, self._notes)
        if order.environment.is_built:
            self._builds.want(running)
        else:
            self._begin(running)

    def abort(self, attempt: AttemptKey, *, grace_seconds: float) -> None:
        if self._builds.abort(attempt):
            return
        for forker in self._forkers():
            if (running := forker.waiting.pop(attempt, None)) is not None:
                running.ended(Report(outcome="aborted"))
                return
        self._slots.end_attempt(attempt, grace_seconds)

    async def adopt(self, attempts: Collection[AttemptKey]) -> set[AttemptKey]:
        """Local slots die with their owner: what is left of them is killed, none is adopted."""
        roots = [forker.pid for forker in self._forkers() if forker.pid is not None]
        spare = {pid for root in roots for pid in process_tree.tree(root)}
        sweep = process_tree.sweep
        await self._loop.run_in_executor(None, sweep, self._options.mark, spare)
        return set()

    def notes(self) -> AsyncIterator[Sequence[Note]]:
        return self._notes.batches()

    # starting

    def _begin(self, running: RunningAttempt) -> None:
        """The attempt's environment is there: have it performed in a slot."""
        try:
            forker = self._forker_for(running.order)
        except (InvalidDefinition, OSError) as error:
            running.ended(not_executable(running.order.environment.interpreter, error))
            return
        forker.used_at = self._loop.time()
        if not forker.serves:
            forker.waiting[running.key] = running
        elif (refusal := forker.refusal(running)) is not None:
            running.ended(refusal)
        else:
            self._slots.begin(forker, running)

    def _forker_for(self, order: Order) -> Forker:
        """A script's slot makes a child of the script's interpreter; a function runs in its slot.
        Raises InvalidDefinition or OSError if there is none or it cannot be executed."""
        if order.kind != "function" or not order.environment.interpreter:
            return self._own
        interpreter = interpreter_in(order.environment)
        forker = self._others.get(interpreter)
        if forker is None:
            forker = Forker(interpreter, self._options, self)
            forker.start()
            self._others[interpreter] = forker
        return forker

    def _end_build(self, build: AttemptKey) -> None:
        if (running := self._own.waiting.pop(build, None)) is not None:
            running.ended(Report(outcome="aborted"))
        else:
            self._slots.end_attempt(build, 2.0)

    def _forkers(self) -> list[Forker]:
        return [self._own, *self._others.values()]

    # what the forkers tell

    def ready(self, forker: Forker) -> None:
        """It can fork: begin what waits for it."""
        waiting, forker.waiting = forker.waiting, {}
        for running in waiting.values():
            self._begin(running)

    def told(self, forker: Forker, message: list[Any]) -> None:
        self._slots.told(message[0], message[1], message[2])

    def lost(self, forker: Forker, report: Report) -> None:
        """Its slots are dead. Another than our own is begun again if somebody wants it, unless it
        cannot serve at all."""
        self._slots.lost(forker, report)
        if forker.is_own:
            return
        self._others.pop(forker.interpreter, None)
        for running in forker.waiting.values():
            if report.outcome == "lost":
                self._begin(running)
            else:
                running.ended(report)

    # upkeep

    def _resume(self) -> None:
        self._slots.resume()

    def _tidy(self) -> None:
        """Once in a while, give up slots and fork servers that have been idle for long."""
        self._slots.tidy()
        before = self._loop.time() - self._options.idle_seconds
        for interpreter, forker in list(self._others.items()):
            if forker.used_at < before and not forker.waiting and not self._slots.of(forker):
                del self._others[interpreter]
                self._loop.create_task(forker.end(), name="end an idle fork server")
        self._builds.renew(self._slots.environments())
        wait = min(_TIDY_SECONDS, self._options.idle_seconds)
        self._janitor = self._loop.call_later(wait, self._tidy)
