"""What every engine promises; run on each of them."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from engine.workbench import Floor, Story, Workbench, followed
from treadle.engine.memory import MemoryEngine
from treadle.interfaces import Engine
from treadle.model.orders import AttemptKey, Ended, Note, Order, Report, Started
from treadle.model.records import Failure, FailureType

T = TypeVar("T")
Scene = Callable[[Floor], Awaitable[T]]


def quick() -> str:
    return "done"


def bad() -> None:
    raise ValueError("no good")


def long() -> None:
    import time

    time.sleep(600)


def scripted(order: Order) -> Report | list[Note]:
    """The three functions above, as MemoryEngine performs them."""
    if order.step == "long":
        return [Started(order.attempt, 0)]
    if order.step == "bad":
        failure = Failure(type=FailureType.USER, message="ValueError: no good")
        return Report(outcome="failed", failure=failure)
    return Report(outcome="completed")


class Stage:
    """Plays scenes on one kind of engine."""

    def __init__(self, kind: str, bench: Workbench) -> None:
        self.kind, self.bench = kind, bench

    def make(self) -> AbstractAsyncContextManager[Engine]:
        return self.bench.engine() if self.kind == "local" else MemoryEngine(scripted)

    def play(self, scene: Scene[T]) -> T:
        async def main() -> T:
            async with self.make() as engine:
                return await followed(self.bench, engine, scene)

        return anyio.run(main, backend_options={"use_uvloop": True})


@pytest.fixture(params=["local", "memory"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    bench = Workbench(tmp_path)
    yield Stage(request.param, bench)
    assert bench.left_over() == []


def test_capacity_is_positive_and_constant(stage: Stage) -> None:
    async def scene(floor: Floor) -> bool:
        first = floor.engine.capacity()
        await floor.run(quick)
        return first == floor.engine.capacity() and min(first.slots, first.cpus) > 0

    assert stage.play(scene)


def test_an_attempt_starts_and_ends_once_with_numbered_notes(stage: Stage) -> None:
    async def scene(floor: Floor) -> Story:
        return await floor.run(quick)

    story = stage.play(scene)
    assert [type(note) for note in story.notes] == [Started, Ended]
    assert [note.number for note in story.notes] == [1, 2]
    assert story.report.outcome == "completed"


def test_a_failure_is_an_end_too(stage: Stage) -> None:
    async def scene(floor: Floor) -> Story:
        return await floor.run(bad)

    assert stage.play(scene).failure.message == "ValueError: no good"


def test_start_returns_before_anything_is_told(stage: Stage) -> None:
    async def scene(floor: Floor) -> int:
        key = floor.start(quick)
        told = len(floor.story(key).notes)
        await floor.ended(key)
        return told

    assert stage.play(scene) == 0


def test_attempts_side_by_side_keep_their_own_numbers(stage: Stage) -> None:
    async def scene(floor: Floor) -> list[Story]:
        keys = [floor.start(function) for function in (quick, bad)]
        return [await floor.ended(key) for key in keys]

    for story in stage.play(scene):
        assert [note.number for note in story.notes] == [1, 2]


def test_an_abort_ends_the_attempt_as_aborted(stage: Stage) -> None:
    async def scene(floor: Floor) -> Story:
        key = floor.start(long)
        await floor.started(key)
        floor.engine.abort(key, grace_seconds=0.1)
        return await floor.ended(key)

    assert stage.play(scene).report.outcome == "aborted"


def test_aborting_what_is_unknown_or_over_does_nothing(stage: Stage) -> None:
    async def scene(floor: Floor) -> Story:
        story = await floor.run(quick)
        floor.engine.abort(story.notes[0].attempt, grace_seconds=0)
        floor.engine.abort(AttemptKey("job_never", 1), grace_seconds=0)
        await floor.run(bad)
        return story

    story = stage.play(scene)
    assert len(story.notes) == 2


def test_an_order_that_cannot_be_carried_out_ends_with_a_note(stage: Stage) -> None:
    if stage.kind == "memory":
        pytest.skip("a script decides what cannot be carried out")

    async def scene(floor: Floor) -> Story:
        return await floor.run("nothing", digest="0" * 64)

    assert stage.play(scene).failure.type == FailureType.BUILD


def test_adopt_finds_nothing_of_an_owner_that_is_gone(stage: Stage) -> None:
    async def scene(floor: Floor) -> set[AttemptKey]:
        return await floor.engine.adopt([AttemptKey("job_old", 1)])

    assert stage.play(scene) == set()


def test_the_stream_of_notes_ends_with_the_engine(stage: Stage) -> None:
    async def main() -> list[Note]:
        told: list[Note] = []
        async with stage.make() as engine:
            engine.start(stage.bench.order(quick))
            notes = engine.notes()
            while not any(isinstance(note, Ended) for note in told):
                told += await anext(notes)
            engine.start(stage.bench.order(long))
        async for batch in notes:
            told += batch
        return told

    told = anyio.run(main, backend_options={"use_uvloop": True})
    assert sum(isinstance(note, Ended) for note in told) == 1
