"""Environments being built, each once, with all the attempts that wait for it.

A build is an attempt of kind `build` in a slot of the engine's own: its end, its time limit and
the proof that nothing of it is left are those of any job. Its log goes to all who wait, and into
`build.log`. A failed build is told to all who wait, and tried again for the next.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from treadle.engine.local import build_failures
from treadle.engine.local.attempt import RunningAttempt, Stream
from treadle.engine.local.builders import Recipe, recipe_for
from treadle.engine.note_stream import NoteStream
from treadle.errors import TreadleError, Unavailable
from treadle.model.bindings import Value
from treadle.model.orders import AttemptKey, Order, Report
from treadle.model.records import Code, Environment, Execution, Failure, FailureType
from treadle.storage.environments import LOG, EnvironmentFolders, name_of

LIMIT_SECONDS = 30 * 60.0
KIND = "build"
_LOG_BYTES = 64 * 1024  #: of the log so far, for who comes late and for the reason of a failure


class BuildAttempt(RunningAttempt):
    """The build of one environment. waiting: the attempts that wait for it; told: what it said."""

    __slots__ = ("_log", "_on_end", "environment", "folder", "leaving", "told", "waiting")

    def __init__(
        self,
        order: Order,
        environment: Environment,
        folder: Path,
        notes: NoteStream,
        on_end: Callable[["BuildAttempt", Report], None],
    ) -> None:
        super().__init__(order, notes)
        self.environment, self.folder, self._on_end = environment, folder, on_end
        self.waiting: dict[AttemptKey, RunningAttempt] = {}
        self.leaving: list[RunningAttempt] = []  # aborted while it was built for them alone
        self.told = b""
        folder.mkdir(parents=True, exist_ok=True)
        self._log: BinaryIO = open(folder / LOG, "wb", buffering=0)

    def join(self, attempt: RunningAttempt) -> None:
        attempt.delayed("build")
        if self.told:
            attempt.printed("err", self.told)
        self.waiting[attempt.key] = attempt

    def started(self, pid: int, *, alone: bool) -> None:
        self.pid = pid

    def printed(self, stream: Stream, data: bytes) -> None:
        self.told = (self.told + data)[-_LOG_BYTES:]
        with contextlib.suppress(OSError):  # a full disk: the build itself will say so
            self._log.write(data)
        for attempt in self.waiting.values():
            attempt.printed("err", data)

    def last_lines(self) -> str:
        return self.told.decode("utf-8", "replace")

    def ended(self, report: Report) -> None:
        self.close()
        self._on_end(self, report)

    def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self._log.close()


class Builds:
    """Gives attempts their environment, building it if need be.

    begin: starts an attempt, or a build, in a slot. end: asks for the end of one.
    """

    def __init__(
        self,
        root: Path | None,
        notes: NoteStream,
        begin: Callable[[RunningAttempt], None],
        end: Callable[[AttemptKey], None],
    ) -> None:
        self._folders = EnvironmentFolders(root) if root else None
        self._notes, self._begin, self._end = notes, begin, end
        self._under_way: dict[str, BuildAttempt] = {}
        self._last_number = 0

    def want(self, attempt: RunningAttempt) -> None:
        """Begin the attempt as soon as its environment is there."""
        environment = attempt.order.environment
        if self._folders and (python := self._folders.python(environment)):
            attempt.use(python)
            self._begin(attempt)
            return
        build = self._under_way.get(name_of(environment))
        if build is not None:
            build.join(attempt)
            return
        self._build([attempt], environment)

    def abort(self, key: AttemptKey) -> bool:
        """Whether the attempt was waiting for a build. The last one takes the build with it, and
        ends when nothing of that is left."""
        for build in self._under_way.values():
            if (attempt := build.waiting.pop(key, None)) is not None:
                if build.waiting:
                    attempt.ended(Report(outcome="aborted"))
                else:
                    build.leaving.append(attempt)
                    self._end(build.key)
                return True
            if any(attempt.key == key for attempt in build.leaving):
                return True
        return False

    def renew(self, environments: set[Environment]) -> None:
        """These are in use."""
        if self._folders:
            for environment in environments:
                self._folders.renew(environment)

    def close(self) -> None:
        """The engine has ended, and what was being built with it."""
        for build in self._under_way.values():
            build.close()

    def _build(self, attempts: list[RunningAttempt], environment: Environment) -> None:
        try:
            build = self._attempt(environment, attempts[0].order.execution.cpus)
        except (TreadleError, OSError) as error:
            for attempt in attempts:
                attempt.ended(_failed(build_failures.refused(error)))
            return
        self._under_way[name_of(environment)] = build
        for attempt in attempts:
            build.join(attempt)
        self._begin(build)

    def _attempt(self, environment: Environment, cpus: float) -> BuildAttempt:
        if self._folders is None:
            raise Unavailable("This engine was given no folder to build environments in.")
        self._last_number += 1
        key = AttemptKey(f"build-{name_of(environment)}", self._last_number)
        folder = self._folders.folder(environment)
        order = _order(key, recipe_for(environment), folder, cpus)
        return BuildAttempt(order, environment, folder, self._notes, self._ended)

    def _ended(self, build: BuildAttempt, report: Report) -> None:
        name = name_of(build.environment)
        del self._under_way[name]
        for attempt in build.leaving:
            attempt.ended(Report(outcome="aborted"))
        waiting = list(build.waiting.values())
        if report.outcome == "completed":
            self._finish(build, waiting)
        elif waiting and (report.outcome in ("lost", "aborted") or build.leaving):
            self._build(waiting, build.environment)  # they came while it was being ended
        else:
            failure = build_failures.build_failure(
                report, build.last_lines(), str(build.folder / LOG), LIMIT_SECONDS
            )
            for attempt in waiting:
                attempt.ended(_failed(failure))

    def _finish(self, build: BuildAttempt, waiting: list[RunningAttempt]) -> None:
        assert self._folders is not None
        try:
            self._folders.finish(build.environment)
        except OSError as error:
            python, failure = None, build_failures.refused(error)
        else:
            python, failure = self._folders.python(build.environment), _NO_PYTHON
        for attempt in waiting:
            if python is None:
                attempt.ended(_failed(failure))
            else:
                attempt.use(python)
                self._begin(attempt)


_NO_PYTHON = Failure(
    type=FailureType.BUILD,
    message="The environment was built, but there is no Python in it.",
    hint="Add `python` to the dependencies.",
)


def _failed(failure: Failure) -> Report:
    return Report(outcome="failed", failure=failure)


def _order(key: AttemptKey, recipe: Recipe, folder: Path, cpus: float) -> Order:
    values = {
        "folder": str(folder),
        "keep": [LOG],
        "files": recipe.files,
        "commands": recipe.commands,
    }
    return Order(
        attempt=key,
        step=KIND,
        run_id=None,
        kind=KIND,
        code=Code(kind="value", digest="", entry=""),
        arguments={name: Value(value) for name, value in values.items()},
        execution=Execution(cpus=cpus, timeout_seconds=LIMIT_SECONDS, grace_seconds=2.0),
        blobs="",
        scratch_dir="",
        outputs=(),
        variables=recipe.variables,
    )
