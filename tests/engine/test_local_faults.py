"""However a job ends, the engine says how, nothing of it stays, and everything else goes on."""

import os
import signal
import sys
import time

import pytest

from engine.workbench import Floor, Story, Workbench, alive
from treadle.model.records import FailureType


def test_os_exit_is_a_crash_that_names_the_exit_code(bench: Workbench) -> None:
    def leave() -> None:
        print("last words", flush=True)
        os._exit(3)

    failure = bench.run(leave).failure
    assert failure.type == FailureType.CRASHED
    assert "exit code 3" in failure.message
    assert failure.certificate.exit_code == 3
    assert failure.certificate.last_lines == "last words\n"


def test_a_segfault_is_a_crash_with_the_place_in_the_last_lines(bench: Workbench) -> None:
    def fall() -> None:
        import ctypes

        ctypes.string_at(0)

    failure = bench.run(fall).failure
    assert failure.type == FailureType.CRASHED
    assert failure.message == "The process was killed by SIGSEGV."
    assert failure.certificate.signal == signal.SIGSEGV
    assert "string_at" in failure.certificate.last_lines


def test_a_job_that_kills_itself_is_a_crash_and_the_next_goes_on(bench: Workbench) -> None:
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def live() -> str:
        return "alive"

    async def scene(floor: Floor) -> list[Story]:
        code = bench.code(die, live)
        first = await floor.run(live, digest=code)
        dead = await floor.run(die, digest=code)
        return [first, dead, await floor.run(live, digest=code)]

    _, dead, after = bench.play(scene)
    assert dead.failure.message == "The process was killed by SIGKILL."
    assert dead.failure.certificate.out_of_memory is False
    assert after.result == "alive"


def test_sigterm_from_outside_is_a_crash(bench: Workbench) -> None:
    def terminate() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    failure = bench.run(terminate).failure
    assert failure.message == "The process was killed by SIGTERM."


def test_memory_over_the_limit_is_told_with_the_peak(bench: Workbench) -> None:
    def grow() -> None:
        kept = []
        while True:
            kept.append(b"x" * 5_000_000)
            time.sleep(0.002)

    failure = bench.run(grow, memory_bytes=100_000_000).failure
    assert failure.type == FailureType.MEMORY
    assert "its limit of 100 MB" in failure.message
    assert failure.certificate.out_of_memory
    assert failure.certificate.peak_memory_bytes > 100_000_000


def test_memory_of_children_counts_too(bench: Workbench) -> None:
    def grow() -> None:
        import subprocess

        subprocess.run(
            [sys.executable, "-c", "import time; x = b'x' * 200_000_000; time.sleep(60)"],
            check=True,
        )

    story = bench.run(grow, memory_bytes=100_000_000)
    assert story.failure.type == FailureType.MEMORY


def test_a_job_below_its_memory_limit_completes(bench: Workbench) -> None:
    def modest() -> int:
        return len(b"x" * 20_000_000)

    assert bench.run(modest, memory_bytes=400_000_000).result == 20_000_000


def test_a_timeout_ends_a_sleep_in_c_and_runs_finally_blocks(bench: Workbench) -> None:
    def sleep() -> None:
        try:
            time.sleep(60)
        finally:
            print("put away")

    story = bench.run(sleep, timeout_seconds=0.2)
    assert story.failure.type == FailureType.TIMEOUT
    assert "0.2 seconds" in story.failure.message
    assert story.printed() == b"put away\n"


def test_a_timeout_ends_a_loop_that_ignores_sigterm(bench: Workbench) -> None:
    def defy() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            pass

    story = bench.run(defy, timeout_seconds=0.1, grace_seconds=0.2)
    assert story.failure.type == FailureType.TIMEOUT
    assert story.failure.certificate.signal == signal.SIGKILL


def test_a_timeout_holds_while_the_module_is_still_loading(bench: Workbench) -> None:
    import cloudpickle

    class Slow:
        def __reduce__(self) -> tuple[object, tuple[int]]:
            return time.sleep, (60,)

    digest, _ = bench.blobs.put([cloudpickle.dumps({"slow": Slow()})])

    async def scene(floor: Floor) -> Story:
        return await floor.run("slow", digest=digest, timeout_seconds=0.2)

    assert bench.play(scene).failure.type == FailureType.TIMEOUT


def test_an_abort_ends_the_whole_tree_before_it_is_told(bench: Workbench) -> None:
    def family() -> None:
        import subprocess

        children = [subprocess.Popen(["sleep", "60"]) for _ in range(3)]
        print(*[child.pid for child in children], flush=True)
        time.sleep(60)

    async def scene(floor: Floor) -> tuple[Story, list[bool]]:
        key = floor.start(family)
        story = await floor.printed(key, b"\n")
        floor.engine.abort(key, grace_seconds=5)
        await floor.ended(key)
        pids = [story.pid, *map(int, story.printed().split())]
        return story, [alive(pid) for pid in pids]

    story, living = bench.play(scene)
    assert story.report.outcome == "aborted"
    assert living == [False] * 4


def test_a_second_abort_shortens_the_grace(bench: Workbench) -> None:
    def defy() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(60)

    async def scene(floor: Floor) -> Story:
        key = floor.start(defy)
        await floor.printed(key, b"ready")
        floor.engine.abort(key, grace_seconds=3600)
        floor.engine.abort(key, grace_seconds=0)
        return await floor.ended(key)

    assert bench.play(scene).report.outcome == "aborted"


def test_a_stopped_job_can_be_aborted(bench: Workbench) -> None:
    def stop() -> None:
        print("stopping", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)

    async def scene(floor: Floor) -> Story:
        key = floor.start(stop)
        await floor.printed(key, b"stopping")
        floor.engine.abort(key, grace_seconds=0.3)
        return await floor.ended(key)

    assert bench.play(scene).report.outcome == "aborted"


def test_an_abort_before_the_start_is_told_too(bench: Workbench) -> None:
    def never() -> None:
        time.sleep(60)

    async def scene(floor: Floor) -> Story:
        key = floor.start(never)
        floor.engine.abort(key, grace_seconds=0)
        return await floor.ended(key)

    assert bench.play(scene).report.outcome == "aborted"


def test_a_daemonised_grandchild_is_gone_when_the_job_has_ended(bench: Workbench) -> None:
    def daemonise() -> int:
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.write(write, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        os.wait()
        return int(os.read(read, 100))

    async def scene(floor: Floor) -> tuple[Story, bool]:
        story = await floor.run(daemonise)
        return story, alive(story.result)

    story, living = bench.play(scene)
    assert story.report.outcome == "completed"
    assert not living


@pytest.mark.parametrize("end", ["abort", "crash"])
def test_a_daemonised_grandchild_is_gone_however_the_job_ends(bench: Workbench, end: str) -> None:
    def daemonise(end: str) -> None:
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.write(write, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        os.wait()
        print(int(os.read(read, 100)), flush=True)
        if end == "crash":
            os._exit(1)
        time.sleep(600)

    async def scene(floor: Floor) -> bool:
        key = floor.start(daemonise, end)
        story = await floor.printed(key, b"\n")
        if end == "abort":
            floor.engine.abort(key, grace_seconds=0.2)
        await floor.ended(key)
        return alive(int(story.printed()))

    assert not bench.play(scene)


def test_a_fork_in_a_loop_is_ended(bench: Workbench) -> None:
    def bomb() -> None:
        deadline = time.monotonic() + 60
        print("lit", flush=True)
        count = 0
        while time.monotonic() < deadline and count < 300:
            count += os.fork() != 0
            time.sleep(0.001)
        time.sleep(60)

    async def scene(floor: Floor) -> Story:
        key = floor.start(bomb, timeout_seconds=0.4, grace_seconds=0)
        await floor.printed(key, b"lit")
        return await floor.ended(key)

    assert bench.play(scene).failure.type == FailureType.TIMEOUT


def test_a_chain_of_processes_that_flees_by_forking_is_ended(bench: Workbench) -> None:
    def flee() -> None:
        print("off", flush=True)
        if os.fork():
            time.sleep(60)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            os.setsid()
            if os.fork():
                os._exit(0)

    story = bench.run(flee, timeout_seconds=0.3, grace_seconds=0)
    assert story.failure.type == FailureType.TIMEOUT


def test_a_job_that_closes_every_descriptor_is_told_so(bench: Workbench) -> None:
    def close_all() -> None:
        os.closerange(0, 65536)

    def live() -> str:
        return "alive"

    async def scene(floor: Floor) -> tuple[Story, Story]:
        return await floor.run(close_all), await floor.run(live)

    closed, after = bench.play(scene)
    assert closed.failure.type == FailureType.CRASHED
    assert "descriptors" in closed.failure.message
    assert after.result == "alive"


@pytest.mark.parametrize("text", ["xyz", '["e",{"outcome":"completed","outputs":[]},"",1]'])
def test_a_job_that_writes_into_the_line_is_ended(bench: Workbench, text: str) -> None:
    def garble(text: str) -> None:
        for name in os.listdir("/proc/self/fd"):
            if os.path.exists(f"/proc/self/fd/{name}") and "socket" in os.readlink(
                f"/proc/self/fd/{name}"
            ):
                os.write(int(name), len(text).to_bytes(4, "big") + text.encode())
        time.sleep(60)

    assert bench.run(garble, text).failure.type == FailureType.CRASHED


def test_a_child_that_returns_from_the_function_is_not_taken_for_the_job(
    bench: Workbench,
) -> None:
    def fork() -> str:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return "parent" if child else "child"

    assert bench.run(fork).result == "parent"


def test_terminating_a_multiprocessing_child_looks_as_in_any_program(bench: Workbench) -> None:
    def terminate() -> int | None:
        import multiprocessing

        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        child.start()
        child.terminate()
        child.join()
        return child.exitcode

    story = bench.run(terminate)
    assert story.result == -signal.SIGTERM
    assert story.printed() == b""
