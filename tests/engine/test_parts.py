"""The small parts of the engine that need no process."""

import signal
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workbench import Workbench
from treadle.engine.local import endings, frames
from treadle.engine.local.warm_slots import WarmSlots
from treadle.engine.memory import MemoryEngine
from treadle.engine.note_stream import NoteStream
from treadle.model.orders import AttemptKey, Ended, Note, Progressed, Report, Started
from treadle.model.records import Execution, FailureType

ONE = AttemptKey("job_1", 1)


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(1, 50)))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    payloads: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(frames.pack, payloads))
    reader, found, sizes = frames.Frames(), [], iter(cuts)
    while stream:
        size = next(sizes, len(stream))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == payloads


def test_a_length_that_no_honest_slot_sends_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        frames.Frames().feed(b"\xff\xff\xff\xff")


def test_the_stream_of_notes_is_full_by_count_or_bytes_and_tells_when_there_is_room() -> None:
    told: list[str] = []

    async def main() -> Sequence[Note]:
        stream = NoteStream(3, 100, lambda: told.append("room"))
        stream.put(Progressed(ONE, 1, 0, None), 10)
        assert not stream.full
        stream.put(Progressed(ONE, 2, 0, None), 95)
        assert stream.full
        batches = stream.batches()
        first = await anext(batches)
        assert not stream.full
        stream.close()
        assert [batch async for batch in batches] == []
        return first

    assert [note.number for note in anyio.run(main)] == [1, 2]
    assert told == ["room"]


def test_warm_slots_are_found_by_key_and_the_least_used_goes_first() -> None:
    slots: WarmSlots[str] = WarmSlots(2)
    a, b = ("", "a", 1.0), ("", "b", 1.0)
    assert slots.add("first", a, 1) is None
    assert slots.add("second", b, 2) is None
    assert slots.add("third", a, 3) == "first"
    assert slots.take(("", "c", 1.0)) is None
    assert slots.take(a) == "third"
    assert slots.idle_since(2.5) == ["second"]
    assert len(slots) == 0


def gone(**facts: object) -> endings.Gone:
    usual = {"signal": None, "exit_code": None, "why": "", "peak_bytes": 1, "out_of_memory": False}
    return {**usual, **facts}


def ended(said: Report | None, cause: str, facts: endings.Gone) -> Report:
    return endings.report_of(said, cause, facts, Execution(timeout_seconds=3), "last")


@pytest.mark.parametrize(
    ("cause", "facts", "type_", "said"),
    [
        ("", gone(signal=9), FailureType.CRASHED, "SIGKILL"),
        ("", gone(signal=45), FailureType.CRASHED, "signal 45"),
        ("", gone(signal=9, out_of_memory=True), FailureType.MEMORY, "kernel"),
        ("", gone(exit_code=2), FailureType.CRASHED, "exit code 2"),
        ("", gone(exit_code=frames.LINE_LOST), FailureType.CRASHED, "connection"),
        ("timeout", gone(signal=15), FailureType.TIMEOUT, "3 seconds"),
    ],
)
def test_every_way_to_go_has_its_failure(
    cause: str, facts: endings.Gone, type_: FailureType, said: str
) -> None:
    failure = ended(None, cause, facts).failure
    assert failure is not None
    assert failure.type == type_
    assert said in failure.message
    assert failure.certificate is not None
    assert failure.certificate.last_lines == "last"


def test_an_abort_beats_a_completion_and_a_completion_beats_a_death() -> None:
    done = Report(outcome="completed")
    assert ended(done, "abort", gone(exit_code=0)).outcome == "aborted"
    assert ended(done, "", gone(signal=int(signal.SIGKILL))).outcome == "completed"


def test_a_memory_kill_meant_for_the_job_before_is_no_fault_of_this_one() -> None:
    assert ended(None, "", gone(signal=9, why="memory")).outcome == "lost"


def test_sizes_are_written_for_people() -> None:
    assert [endings.size(n) for n in (5, 1500, 2e9, 5e15)] == [
        "5 bytes",
        "1.5 KB",
        "2 GB",
        "5e+03 TB",
    ]


def test_the_memory_engine_holds_orders_until_they_are_released() -> None:
    async def main() -> list[Note]:
        order = Workbench(Path("/nonexistent")).order("f", digest="0" * 64)
        async with MemoryEngine() as engine:
            engine.hold()
            engine.start(order)
            assert list(engine.held) == [order.attempt]
            engine.release()
            notes = engine.notes()
            return list(await anext(notes))

    started, end = anyio.run(main)
    assert isinstance(started, Started)
    assert isinstance(end, Ended)
    assert (started.number, end.number) == (1, 2)
