"""What a job on the local engine may rely on."""

import os

from engine.workbench import Floor, Story, Workbench


def test_a_function_is_called_and_its_result_comes_back(bench: Workbench) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    # When
    story = bench.run(add, 2, 3)
    # Then
    assert story.report.outcome == "completed"
    assert story.result == 5
    assert story.report.cpu_seconds is not None
    assert (story.report.peak_memory_bytes or 0) > 1_000_000


def test_notes_of_an_attempt_are_numbered_from_one_without_gaps(bench: Workbench) -> None:
    def talk() -> None:
        from treadle import step

        for i in range(50):
            print(i)
            step.log_metric("i", i)

    story = bench.run(talk)
    assert [note.number for note in story.notes] == list(range(1, len(story.notes) + 1))


def test_a_warm_slot_serves_the_same_code_again_and_other_code_gets_another(
    bench: Workbench,
) -> None:
    def pid_a() -> int:
        return os.getpid()

    def pid_b() -> int:
        return os.getpid()

    async def scene(floor: Floor) -> list[int]:
        both = bench.code(pid_a, pid_b)
        alone = bench.code(pid_b)
        return [
            (await floor.run(pid_a, digest=both)).result,
            (await floor.run(pid_b, digest=both)).result,
            (await floor.run(pid_b, digest=alone)).result,
            (await floor.run(pid_a, digest=both, cpus=2.0)).result,
        ]

    first, same, other_code, other_cpus = bench.play(scene)
    assert first == same
    assert len({first, other_code, other_cpus}) == 3


def test_a_slot_is_replaced_after_its_number_of_jobs(bench: Workbench) -> None:
    def pid() -> int:
        return os.getpid()

    async def scene(floor: Floor) -> list[int]:
        code = bench.code(pid)
        return [(await floor.run(pid, digest=code)).result for _ in range(4)]

    first, second, third, fourth = bench.play(scene, jobs_per_slot=2)
    assert first == second != third == fourth


def test_a_slot_that_has_grown_is_replaced(bench: Workbench) -> None:
    def keep(kept: list[bytearray] = []) -> int:  # noqa: B006 - what the test is about
        kept.append(bytearray(b"x") * 30_000_000)
        return os.getpid()

    async def scene(floor: Floor) -> list[int]:
        code = bench.code(keep)
        return [(await floor.run(keep, digest=code)).result for _ in range(3)]

    pids = bench.play(scene, slot_growth_bytes=20_000_000)
    assert len(set(pids)) == 2


def test_the_process_is_found_again_as_it_was(bench: Workbench) -> None:
    def disturb() -> None:
        import logging
        import signal
        import sys

        os.chdir("/")
        os.environ["LEFT"] = "behind"
        os.environ.pop("HOME", None)
        sys.argv = ["mine"]
        sys.path.insert(0, "/nowhere")
        sys.stdout.close()
        sys.stderr = None
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        signal.alarm(3600)
        logging.getLogger().addHandler(logging.NullHandler())
        logging.getLogger().setLevel("DEBUG")
        os.umask(0o77)

    def look() -> list[object]:
        import logging
        import signal
        import sys

        print("heard")
        print("also", file=sys.stderr)
        umask = os.umask(0)
        os.umask(umask)
        return [
            os.getcwd(),
            sorted(os.environ.items()),
            sys.argv,
            sys.path,
            [str(signal.getsignal(n)) for n in (signal.SIGTERM, signal.SIGUSR1)],
            sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            signal.alarm(0),
            len(logging.getLogger().handlers),
            logging.getLogger().level,
            umask,
            os.getpid(),
        ]

    async def scene(floor: Floor) -> list[Story]:
        code = bench.code(disturb, look)
        before = await floor.run(look, digest=code)
        await floor.run(disturb, digest=code)
        return [before, await floor.run(look, digest=code)]

    before, after = bench.play(scene)
    assert after.result == before.result
    assert after.printed("out") == b"heard\n"
    assert after.printed("err") == b"also\n"


def test_a_job_has_its_variables_and_its_share_of_threads(bench: Workbench) -> None:
    def look() -> list[str | None]:
        return [os.environ.get("MINE"), os.environ["OMP_NUM_THREADS"]]

    async def scene(floor: Floor) -> list[list[str | None]]:
        code = bench.code(look)
        first = await floor.run(look, digest=code, cpus=3.0, variables={"MINE": "yes"})
        second = await floor.run(look, digest=code, cpus=3.0)
        return [first.result, second.result]

    assert bench.play(scene) == [["yes", "3"], [None, "3"]]


def test_threads_left_running_retire_the_slot(bench: Workbench) -> None:
    def leave_a_thread() -> int:
        import threading

        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return os.getpid()

    async def scene(floor: Floor) -> list[int]:
        code = bench.code(leave_a_thread)
        return [(await floor.run(leave_a_thread, digest=code)).result for _ in range(2)]

    first, second = bench.play(scene)
    assert first != second


def test_a_slot_holds_no_descriptors_but_its_own(bench: Workbench) -> None:
    def descriptors() -> list[str]:
        import time

        time.sleep(0)
        links = {fd: f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")}
        return sorted(os.readlink(path) for path in links.values() if os.path.exists(path))

    async def scene(floor: Floor) -> list[list[str]]:
        keys = [floor.start(descriptors, cpus=float(n)) for n in (1, 2, 3)]
        return [(await floor.ended(key)).result for key in keys]

    seen = bench.play(scene, slots=3)
    pipes = [{link for link in links if link.startswith(("pipe:", "socket:"))} for links in seen]
    assert all(len(links) == 3 for links in pipes)
    assert len(set.union(*pipes)) == 9


def test_a_slot_idle_for_long_is_given_up(bench: Workbench) -> None:
    def pid() -> int:
        return os.getpid()

    async def scene(floor: Floor) -> int:
        import asyncio

        import psutil

        told: int = (await floor.run(pid)).result
        while psutil.pid_exists(told):  # noqa: ASYNC110 - processes end without an event
            await asyncio.sleep(0.01)
        return told

    assert bench.play(scene, idle_seconds=0.05)


def test_many_short_jobs_of_many_codes_all_complete(bench: Workbench) -> None:
    def make(n: int) -> object:
        def give() -> int:
            return n

        return give

    async def scene(floor: Floor) -> list[int]:
        results = []
        for start in range(0, 60, 2):
            keys = [floor.start(make(n % 7)) for n in (start, start + 1)]  # type: ignore[arg-type]
            results += [(await floor.ended(key)).result for key in keys]
        return results

    assert bench.play(scene) == [n % 7 for n in range(60)]


def test_an_order_larger_than_a_socket_takes_arrives_whole(bench: Workbench) -> None:
    def size(text: str) -> int:
        return len(text)

    async def scene(floor: Floor) -> list[int]:
        code = bench.code(size)
        return [(await floor.run(size, "x" * n, digest=code)).result for n in (5_000_000, 3)]

    assert bench.play(scene) == [5_000_000, 3]


def test_what_earlier_jobs_left_in_memory_does_not_count_against_a_later_limit(
    bench: Workbench,
) -> None:
    def keep(megabytes: int, kept: list[bytearray] = []) -> int:  # noqa: B006 - it is to stay
        kept.append(bytearray(b"x") * (megabytes * 1_000_000))
        return os.getpid()

    async def scene(floor: Floor) -> list[Story]:
        code = bench.code(keep)
        stories = [await floor.run(keep, n, digest=code) for n in (1, 200)]
        return [*stories, await floor.run(keep, 1, digest=code, memory_bytes=150_000_000)]

    stories = bench.play(scene)
    assert [story.report.outcome for story in stories] == ["completed"] * 3
