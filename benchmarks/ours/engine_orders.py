"""Orders for a local engine by itself, for rows that measure what happens around a job."""

import asyncio
import tempfile
from pathlib import Path

from treadle.engine.local.engine import LocalEngine
from treadle.engine.local.options import LocalOptions
from treadle.model.bindings import Value
from treadle.model.ids import new_id
from treadle.model.orders import AttemptKey, Ended, Note, Order, Started
from treadle.model.records import OWN_ENVIRONMENT, Code, Environment, Execution


class Follower:
    """An engine, and when each of its attempts started and ended."""

    def __init__(self, engine: LocalEngine, folder: Path) -> None:
        self._engine, self._folder = engine, folder
        self._waiting: dict[tuple[AttemptKey, type[Note]], asyncio.Future[Note]] = {}

    async def follow(self) -> None:
        async for batch in self._engine.notes():
            for note in batch:
                future = self._waiting.pop((note.attempt, type(note)), None)
                if future is not None and not future.done():
                    future.set_result(note)

    async def started(self, environment: Environment = OWN_ENVIRONMENT) -> None:
        """Run `true` in the environment; return when it has started and ended well."""
        order = self._order(environment)
        loop = asyncio.get_running_loop()
        start, end = loop.create_future(), loop.create_future()
        self._waiting |= {(order.attempt, Started): start, (order.attempt, Ended): end}
        self._engine.start(order)
        report = (await end).report
        if report.outcome != "completed":
            raise RuntimeError(report.failure)
        await start

    def _order(self, environment: Environment) -> Order:
        job = new_id("job")
        arguments = {"inputs": Value({}), "parameters": Value({}), "args": Value(["true"])}
        return Order(
            attempt=AttemptKey(job, 1),
            step="true",
            run_id=None,
            kind="script",
            code=Code(kind="snapshot", digest="", entry="", project_dir=str(self._folder)),
            arguments=arguments,
            execution=Execution(),
            blobs=str(self._folder / "blobs"),
            scratch_dir=str(self._folder / "scratch" / job),
            outputs=(),
            environment=environment,
        )


def an_engine(folder: Path) -> LocalEngine:
    options = LocalOptions(mark=new_id("mark"), slots=1, environments=folder / "environments")
    return LocalEngine(options)


def a_folder() -> Path:
    return Path(tempfile.mkdtemp())
