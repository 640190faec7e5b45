"""What jobs print is captured whole, live, and tagged to the job that printed it."""

import os
import subprocess
import sys
from collections.abc import Sequence

import psutil

from engine.workbench import Floor, Story, Workbench
from treadle.model.orders import Note, Printed


def test_output_of_python_of_c_and_of_children_is_captured(bench: Workbench) -> None:
    def speak() -> None:
        import ctypes

        print("python")
        ctypes.CDLL(None).puts(b"libc")
        subprocess.run(["echo", "child"], check=True)
        os.write(2, b"descriptor\n")
        sys.stderr.write("unfinished")

    story = bench.run(speak)
    assert sorted(story.printed("out").split()) == [b"child", b"libc", b"python"]
    assert story.printed("err") == b"descriptor\nunfinished"


def test_output_arrives_while_the_job_runs(bench: Workbench) -> None:
    def ask() -> str:
        import time

        print("ready?")
        deadline = time.monotonic() + 60
        while not os.path.exists(os.environ["ANSWER"]) and time.monotonic() < deadline:
            time.sleep(0.005)
        return "answered" if os.path.exists(os.environ["ANSWER"]) else "no answer"

    answer = bench.folder / "answer"

    async def scene(floor: Floor) -> Story:
        key = floor.start(ask, variables={"ANSWER": str(answer)})
        await floor.printed(key, b"ready?\n")
        answer.touch()
        return await floor.ended(key)

    assert bench.play(scene).result == "answered"


def test_output_of_jobs_side_by_side_is_tagged_right(bench: Workbench) -> None:
    def say(word: str) -> None:
        for _ in range(200):
            print(word)
            print(word.upper(), file=sys.stderr)

    async def scene(floor: Floor) -> list[Story]:
        code = bench.code(say)
        stories = []
        for first, second in (("a", "b"), ("c", "d"), ("e", "f")):
            keys = [floor.start(say, word, digest=code) for word in (first, second)]
            stories += [await floor.ended(key) for key in keys]
        return stories

    for word, story in zip("abcdef", bench.play(scene), strict=True):
        assert story.printed("out") == f"{word}\n".encode() * 200
        assert story.printed("err") == f"{word.upper()}\n".encode() * 200


def test_all_output_comes_before_the_end(bench: Workbench) -> None:
    def burst(n: int) -> None:
        sys.stdout.write("x" * 60_000 + str(n))

    async def scene(floor: Floor) -> list[Story]:
        code = bench.code(burst)
        return [await floor.run(burst, n, digest=code) for n in range(50)]

    for n, story in enumerate(bench.play(scene)):
        assert story.printed("out") == b"x" * 60_000 + str(n).encode()


def test_output_over_the_quota_is_dropped_with_a_mark_and_memory_stays_flat(
    bench: Workbench,
) -> None:
    def flood() -> str:
        line = b"y" * 99 + b"\n"
        for _ in range(500):
            os.write(1, line * 1000)
        return "done"

    before = psutil.Process().memory_info().rss
    story = bench.run(flood, output_limit_bytes=1_000_000)
    grown = psutil.Process().memory_info().rss - before
    assert story.result == "done"
    assert len(story.printed("out")) == 1_000_000
    assert b"[treadle: 49,000,000 bytes of output were dropped" in story.printed("err")
    assert grown < 30_000_000


def test_a_job_blocks_while_nobody_takes_its_notes(bench: Workbench) -> None:
    def flood() -> None:
        for _ in range(400):
            os.write(1, b"z" * 100_000)

    before = psutil.Process().memory_info().rss

    async def scene() -> tuple[int, int, int]:
        import asyncio

        async with bench.engine(notes_limit_bytes=1_000_000) as engine:
            engine.start(bench.order(flood))
            notes = engine.notes()
            first = await anext(notes)
            slot = psutil.Process(first[0].pid)  # type: ignore[union-attr]
            written, still = 0, 0
            while still < 10:  # blocked: it writes no more
                await asyncio.sleep(0.02)
                still = still + 1 if slot.io_counters().write_chars == written else 0
                written = slot.io_counters().write_chars
            held = psutil.Process().memory_info().rss - before
            total = _printed_bytes(first)  # it may hold some of the output already
            async for batch in notes:
                total += _printed_bytes(batch)
                if hasattr(batch[-1], "report"):
                    break
            return held, total, written

    import anyio

    held, total, written = anyio.run(scene, backend_options={"use_uvloop": True})
    assert total == 40_000_000
    assert held < 25_000_000
    assert written < 5_000_000


def _printed_bytes(batch: Sequence[Note]) -> int:
    return sum(len(note.data) for note in batch if isinstance(note, Printed))


def test_a_job_that_closes_its_own_output_does_no_harm(bench: Workbench) -> None:
    def close() -> str:
        sys.stdout.close()
        os.close(1)
        os.close(2)
        return "closed"

    def speak() -> str:
        print("here")
        return "spoke"

    async def scene(floor: Floor) -> list[Story]:
        code = bench.code(close, speak)
        return [await floor.run(close, digest=code), await floor.run(speak, digest=code)]

    closed, spoke = bench.play(scene)
    assert (closed.result, spoke.result) == ("closed", "spoke")
    assert spoke.printed("out") == b"here\n"


def test_metrics_and_progress_come_in_order_and_the_last_progress_always(
    bench: Workbench,
) -> None:
    def train() -> None:
        from treadle import step

        for epoch in range(20):
            step.log_metric("loss", 1 / (epoch + 1), step=epoch)
        step.log_metric("nothing", float("nan"))
        for done in range(1001):
            step.progress(done, 1000)

    story = bench.run(train)
    metrics = story.metrics()
    assert metrics[:20] == [("loss", 1 / (n + 1), n) for n in range(20)]
    assert str(metrics[20][1]) == "nan"
    progress = story.progress()
    assert progress[-1] == (1000, 1000)
    assert len(progress) < 50


def test_children_of_a_job_may_log_metrics_too(bench: Workbench) -> None:
    def share() -> None:
        import multiprocessing

        from treadle import step

        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=step.log_metric, args=("child", n)) for n in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    assert sorted(bench.run(share).metrics()) == [("child", n, None) for n in range(4)]
