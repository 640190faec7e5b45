"""A local engine with its blob store, and a hand to give it functions and follow them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import cloudpickle

from treadle.engine.local import process_tree
from treadle.engine.local.engine import LocalEngine
from treadle.engine.local.options import LocalOptions
from treadle.interfaces import Engine
from treadle.model.bindings import DEFAULT_OUTPUT, Binding, Stored, Value
from treadle.model.ids import new_id
from treadle.model.orders import (
    AttemptKey,
    Ended,
    Measured,
    Note,
    Order,
    Printed,
    Progressed,
    Report,
    Started,
)
from treadle.model.records import Code, Execution
from treadle.storage.blobs import LocalBlobs, load_value, store_value

T = TypeVar("T")
PATIENCE_SECONDS = 60


@dataclass
class Story:
    """All that was told of one attempt."""

    notes: list[Note] = field(default_factory=list)
    result: Any = None

    @property
    def report(self) -> Report:
        last = self.notes[-1]
        assert isinstance(last, Ended)
        return last.report

    @property
    def failure(self) -> Any:
        assert self.report.failure is not None, self.report
        return self.report.failure

    @property
    def pid(self) -> int:
        return next(note.pid for note in self.notes if isinstance(note, Started)) or 0

    def printed(self, stream: str | None = None) -> bytes:
        return b"".join(
            note.data
            for note in self.notes
            if isinstance(note, Printed) and stream in (None, note.stream)
        )

    def metrics(self) -> list[tuple[str, float, int | None]]:
        return [(n.name, n.value, n.step) for n in self.notes if isinstance(n, Measured)]

    def progress(self) -> list[tuple[float, float | None]]:
        return [(n.done, n.total) for n in self.notes if isinstance(n, Progressed)]


class Floor:
    """An engine at work, followed."""

    def __init__(self, bench: "Workbench", engine: Engine) -> None:
        self.bench, self.engine = bench, engine
        self.stories: dict[AttemptKey, Story] = {}
        self._news = asyncio.Event()

    async def follow(self) -> None:
        async for batch in self.engine.notes():
            for note in batch:
                self.stories.setdefault(note.attempt, Story()).notes.append(note)
            self._news.set()

    def start(self, function: Callable[..., Any] | str, *args: Any, **wanted: Any) -> AttemptKey:
        order = self.bench.order(function, *args, **wanted)
        self.engine.start(order)
        return order.attempt

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for news until the condition holds."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def started(self, key: AttemptKey) -> Story:
        await self.until(lambda: bool(self.story(key).notes))
        return self.story(key)

    async def printed(self, key: AttemptKey, text: bytes) -> Story:
        await self.until(lambda: text in self.story(key).printed())
        return self.story(key)

    async def ended(self, key: AttemptKey) -> Story:
        story = self.story(key)
        await self.until(lambda: bool(story.notes) and isinstance(story.notes[-1], Ended))
        if DEFAULT_OUTPUT in story.report.outputs:
            story.result = load_value(self.bench.blobs, story.report.outputs[DEFAULT_OUTPUT])
        return story

    async def run(self, function: Callable[..., Any] | str, *args: Any, **wanted: Any) -> Story:
        return await self.ended(self.start(function, *args, **wanted))

    def story(self, key: AttemptKey) -> Story:
        return self.stories.setdefault(key, Story())


class Workbench:
    """A data directory with its mark. Functions are sent by value, as from a prompt."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mark = folder, new_id("mark")
        self.blobs = LocalBlobs(folder / "blobs")

    def engine(self, **options: Any) -> LocalEngine:
        return LocalEngine(LocalOptions(mark=self.mark, **{"slots": 2, **options}))

    def code(self, *functions: Callable[..., Any]) -> str:
        """One blob for these functions; its digest."""
        modules = {sys.modules[function.__module__] for function in functions}
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            data = cloudpickle.dumps({function.__name__: function for function in functions})
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)
        return self.blobs.put([data])[0]

    def order(
        self,
        function: Callable[..., Any] | str,
        *args: Any,
        digest: str | None = None,
        arguments: dict[str, Binding] | None = None,
        **wanted: Any,
    ) -> Order:
        """An order for the function. args: its first parameters; wanted: of Execution or Order."""
        execution = {n: wanted.pop(n) for n in Execution.__dataclass_fields__ if n in wanted}
        if not isinstance(function, str):
            names = function.__code__.co_varnames
            digest = digest or self.code(function)
            arguments = arguments or {n: self.binding(a) for n, a in zip(names, args, strict=False)}
            function = function.__name__
        job_id = new_id("job")
        fields: dict[str, Any] = {
            "attempt": AttemptKey(job_id, 1),
            "step": function,
            "run_id": None,
            "kind": "function",
            "code": Code(kind="value", digest=digest or "", entry=function),
            "arguments": arguments or {},
            "execution": Execution(**{"grace_seconds": 0.5, **execution}),
            "blobs": str(self.folder / "blobs"),
            "scratch_dir": str(self.folder / "scratch" / job_id),
        }
        return Order(**{**fields, **wanted})

    def binding(self, value: Any) -> Binding:
        if isinstance(value, str | int | float | list | dict | None):
            return Value(value)
        return Stored(store_value(self.blobs, value))

    def play(self, scene: Callable[[Floor], Awaitable[T]], **options: Any) -> T:
        """Start an engine, play the scene on it, and end it."""

        async def main() -> T:
            async with self.engine(**options) as engine:
                return await followed(self, engine, scene)

        return anyio.run(main, backend_options={"use_uvloop": True})

    def run(self, function: Callable[..., Any], *args: Any, **wanted: Any) -> Story:
        """The story of one job on an engine of its own."""
        return self.play(lambda floor: floor.run(function, *args, **wanted))

    def left_over(self) -> list[int]:
        return list(process_tree.marked(self.mark))


async def followed(bench: Workbench, engine: Engine, scene: Callable[[Floor], Awaitable[T]]) -> T:
    floor = Floor(bench, engine)
    async with anyio.create_task_group() as group:
        group.start_soon(floor.follow)
        result = await scene(floor)
        group.cancel_scope.cancel()
    return result


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
