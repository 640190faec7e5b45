"""One interpreter's fork server, as the engine keeps it: started, waited for, begun again."""

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from treadle.engine.local import endings, process_tree, server_program
from treadle.engine.local.attempt import RunningAttempt
from treadle.engine.local.options import LocalOptions
from treadle.engine.local.server_handle import ForkServerHandle
from treadle.engine.local.server_program import ServerProgram
from treadle.model.orders import AttemptKey, Report
from treadle.model.records import Failure, FailureType

_READY_SECONDS = 120.0  #: for an interpreter, or what is preloaded, to come up
log = logging.getLogger("treadle.engine")


class Floor(Protocol):
    """What a forker tells of: the engine."""

    def ready(self, forker: "Forker") -> None:
        """It can fork: what waits for it can begin."""
        ...

    def told(self, forker: "Forker", message: list[Any]) -> None: ...

    def lost(self, forker: "Forker", report: Report) -> None:
        """Its slots are dead; the attempts in them ended so."""
        ...


class Forker:
    """The fork server of an interpreter ("" = the engine's own).

    waiting: attempts for which it is not ready. The engine's own is asked at once and begun again
    whenever it is lost; another is waited for, since only its start shows whether it can serve.
    """

    def __init__(self, interpreter: str, options: LocalOptions, floor: Floor) -> None:
        self.interpreter, self._options, self._floor = interpreter, options, floor
        self._loop = asyncio.get_running_loop()
        self.waiting: dict[AttemptKey, RunningAttempt] = {}
        self.used_at = self._loop.time()
        self._server: ForkServerHandle | None = None
        self._ended: ForkServerHandle | None = None  #: the one that is being replaced
        self._replacing: asyncio.Task[None] | None = None
        self._impatience: asyncio.TimerHandle | None = None
        self._false_starts = 0  #: since it last said that it was ready
        self._tag = ""
        self._preload = options.preload

    @property
    def is_own(self) -> bool:
        return not self.interpreter

    @property
    def serves(self) -> bool:
        """Requests can be made."""
        return self._server is not None and (self.is_own or self._server.ready)

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server else None

    def start(self) -> None:
        """Raises OSError if there is no such program, or no process to be had."""
        program = self._program()
        self._server = ForkServerHandle(program, self._options.mark, self._told, self._lost)
        if not self.is_own or program.given["preload"]:
            self._impatience = self._loop.call_later(_READY_SECONDS, self._server.kill)

    def _program(self) -> ServerProgram:
        if self.is_own:
            return server_program.own_program(self._preload)
        return server_program.program_in(self.interpreter, self._options.lending_folder)

    def ask(self, *request: Any, fds: Sequence[int] = ()) -> None:
        """Pass the request on; without a server there is nothing left to ask for."""
        if self._server is not None:
            self._server.ask(*request, fds=fds)

    def refusal(self, running: RunningAttempt) -> Report | None:
        """Why this interpreter cannot perform the attempt, if it cannot."""
        code = running.order.code
        if self.is_own or code.kind != "value" or self._tag == sys.implementation.cache_tag:
            return None
        return _build_failure(
            f"The function was sent as compiled by this Python, which {self.interpreter} is not.",
            "Put it in a module of the project and name that, or make the step a script.",
        )

    def _told(self, message: list[Any]) -> None:
        if message[0] == "ready":
            self._false_starts, self._tag = 0, message[2]
            self._be_patient()
            self._floor.ready(self)
        elif message[0] == "preload":
            log.warning("preload: %s is left out: %s", message[1], message[2])
        else:
            self._floor.told(self, message)

    def _be_patient(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()

    async def end(self) -> None:
        self._be_patient()
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.gather(self._replacing, return_exceptions=True)
        for server in (self._ended, self._server):
            if server is not None:
                await server.end()
        self._server = None

    def _lost(self) -> None:
        """It ended by itself, and its slots with it: sweep, tell, begin again."""
        self._be_patient()
        self._ended, self._server = self._server, None
        if self._ended is not None:
            self._replacing = self._loop.create_task(
                self._replace(self._ended), name="replace a fork server"
            )

    async def _replace(self, server: ForkServerHandle) -> None:
        await server.end()
        await self._loop.run_in_executor(None, _sweep, server.name)
        report = self._report(server)
        self._floor.lost(self, report)
        if self.is_own:
            await self._start_again()

    async def _start_again(self) -> None:
        """Start it, less and less eagerly while that does not help."""
        while True:
            self._false_starts += 1
            await asyncio.sleep(min(5.0, 0.05 * (2**self._false_starts - 2)))
            try:
                self.start()
            except OSError:  # no process or descriptor to be had just now
                continue
            self._floor.ready(self)
            return

    def _report(self, server: ForkServerHandle) -> Report:
        """How attempts in its slots ended; for the one that never came up, the cause of that."""
        line = endings.last_line(server.last_words)
        if server.ready:
            return endings.lost(line)
        if self._preload and self.is_own:
            log.warning("preload: nothing is: the process ended: %s", line or "in silence")
            self._preload = ()
            return endings.LOST
        if self.is_own:
            return endings.unable(line, server.last_words)
        return _build_failure(
            f"The interpreter {self.interpreter} cannot run functions: "
            + (line or f"it ended with exit code {server.exit_code}."),
            _HINTS.get(server.exit_code, f"Does `{self.interpreter} -c 'print(1)'` work?"),
        )


_HINTS = {
    server_program.TOO_OLD: "Make the step a script, or use Python 3.11 or newer.",
    server_program.LACKS: "Install cloudpickle and blake3 there, make the step a script, or name "
    "requirements instead, from which an environment is built.",
}


def _build_failure(message: str, hint: str) -> Report:
    failure = Failure(type=FailureType.BUILD, message=message, hint=hint)
    return Report(outcome="failed", failure=failure)


def _sweep(server: str) -> None:
    process_tree.sweep(server, variable=process_tree.SERVER_VARIABLE)
