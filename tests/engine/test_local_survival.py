"""The engine's own processes are killed, stopped or starved: all that can go on goes on."""

import os
import signal
import sys
import time
from pathlib import Path

import anyio
import psutil

from engine.workbench import Floor, Story, Workbench, alive
from treadle.engine.local import process_tree
from treadle.model.records import FailureType


def test_the_fork_server_killed_loses_its_jobs_and_is_replaced(bench: Workbench) -> None:
    def wait() -> None:
        import subprocess

        subprocess.Popen(["setsid", "sleep", "600"])
        print("waiting", flush=True)
        time.sleep(600)

    def live() -> str:
        return "alive"

    async def scene(floor: Floor) -> tuple[Story, Story]:
        key = floor.start(wait)
        story = await floor.printed(key, b"waiting")
        os.kill(psutil.Process(story.pid).ppid(), signal.SIGKILL)
        lost = await floor.ended(key)
        return lost, await floor.run(live)

    lost, after = bench.play(scene)
    assert lost.report.outcome == "lost"
    assert after.result == "alive"


def test_orders_given_while_the_fork_server_is_replaced_are_performed(bench: Workbench) -> None:
    def live() -> str:
        return "alive"

    async def scene(floor: Floor) -> list[str]:
        code = bench.code(live)
        first = await floor.run(live, digest=code)
        os.kill(psutil.Process(first.pid).ppid(), signal.SIGKILL)
        results = []
        for _ in range(20):
            story = await floor.run(live, digest=code)
            results.append("lost" if story.report.outcome == "lost" else story.result)
        return results

    results = bench.play(scene)
    assert results[-1] == "alive"
    assert results.count("lost") <= 2


def test_a_slot_killed_while_idle_harms_nobody(bench: Workbench) -> None:
    def live() -> str:
        return "alive"

    async def scene(floor: Floor) -> Story:
        code = bench.code(live)
        first = await floor.run(live, digest=code)
        os.kill(first.pid, signal.SIGKILL)
        while alive(first.pid):  # noqa: ASYNC110 - processes end without an event
            await anyio.sleep(0.005)
        await anyio.sleep(0.05)  # for the engine to hear of it
        return await floor.run(live, digest=code)

    assert bench.play(scene).result == "alive"


def test_everything_stopped_for_a_while_goes_on(bench: Workbench) -> None:
    def count() -> int:
        for n in range(50):
            print(n, flush=True)
            time.sleep(0.002)
        return 50

    async def scene(floor: Floor) -> Story:
        key = floor.start(count)
        story = await floor.printed(key, b"3\n")
        pids = [psutil.Process(story.pid).ppid(), story.pid]
        process_tree.send(pids, signal.SIGSTOP)
        await anyio.sleep(0.2)
        process_tree.send(pids, signal.SIGCONT)
        return await floor.ended(key)

    assert bench.play(scene).result == 50


OWNER = """
import sys, time, anyio
sys.path[:0] = {path!r}
from pathlib import Path
from engine.workbench import Workbench

def work():
    import os, subprocess, signal
    subprocess.Popen(["setsid", "sleep", "600"])
    print("working", flush=True)
    time.sleep(600)

async def scene(floor):
    key = floor.start(work)
    await floor.printed(key, b"working")
    print("working", flush=True)
    await anyio.sleep(600)

bench = Workbench(Path({folder!r}))
bench.mark = {mark!r}
bench.play(scene)
"""


def test_all_ends_with_a_killed_owner(bench: Workbench) -> None:
    import subprocess

    tests = str(Path(__file__).parents[1])
    program = OWNER.format(path=[tests], folder=str(bench.folder), mark=bench.mark)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        said, working = owner.stdout.readline(), bench.left_over()
        owner.kill()
    assert said == b"working\n"
    assert len(working) >= 2  # fork server, slot, and sleep if its exec is over
    deadline = time.monotonic() + 30
    while bench.left_over() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert bench.left_over() == []


def test_adopt_kills_what_an_earlier_owner_left_and_adopts_nothing(bench: Workbench) -> None:
    import subprocess

    from treadle.model.orders import AttemptKey

    environment = {**os.environ, process_tree.MARK_VARIABLE: bench.mark}
    left = subprocess.Popen(["sleep", "600"], env=environment, start_new_session=True)

    def live() -> str:
        return "alive"

    async def scene(floor: Floor) -> Story:
        assert await floor.engine.adopt([AttemptKey("job_old", 1)]) == set()
        assert left.wait() == -signal.SIGKILL
        return await floor.run(live)

    assert bench.play(scene).result == "alive"


def test_an_order_for_which_there_are_no_descriptors_fails_and_the_next_goes_on(
    bench: Workbench,
) -> None:
    import resource

    def live() -> str:
        return "alive"

    async def scene(floor: Floor) -> tuple[Story, Story]:
        order = bench.order(live)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        first_free = os.dup(0)
        os.close(first_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, before[1]))
        try:
            floor.engine.start(order)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        return await floor.ended(order.attempt), await floor.run(live)

    failed, after = bench.play(scene)
    assert failed.failure.type == FailureType.INTERNAL
    assert "Too many open files" in failed.failure.message
    assert after.result == "alive"


def test_an_integer_of_any_size_reaches_the_job(bench: Workbench) -> None:
    def same(x: int) -> int:
        return x

    assert bench.run(same, 2**100).result == 2**100


def test_the_engine_ends_at_once_though_a_fork_of_its_owner_lives_on(bench: Workbench) -> None:
    def live() -> str:
        return "alive"

    forked = 0

    async def scene(floor: Floor) -> float:
        nonlocal forked
        await floor.run(live)
        forked = os.fork()
        if forked == 0:
            signal.pause()
            os._exit(0)
        return time.monotonic()

    try:
        ending = bench.play(scene)
        assert time.monotonic() - ending < 5
    finally:
        os.kill(forked, signal.SIGKILL)
        os.waitpid(forked, 0)
