"""Scripts on the local engine: abort, timeout, memory, crashes, what is left behind, reuse."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.workbench import Floor, Story, alive
from runtime.scripts import ScriptBench
from treadle.model.orders import Order
from treadle.model.records import FailureType

SAY_PID = "import os, sys, time; print('pid', os.getpid(), flush=True)\n"
WAIT = SAY_PID + "time.sleep(600)"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ScriptBench]:
    bench = ScriptBench(tmp_path)
    yield bench
    assert bench.left_over() == []


def run(bench: ScriptBench, *orders: Order) -> list[Story]:
    """The orders one after the other on one engine."""

    async def scene(floor: Floor) -> list[Story]:
        stories = []
        for order in orders:
            floor.engine.start(order)
            stories.append(await floor.ended(order.attempt))
        return stories

    return bench.play(scene, slots=1)


def aborted(bench: ScriptBench, order: Order) -> Story:
    """The story of an order that is aborted as soon as it has said its pid."""

    async def scene(floor: Floor) -> Story:
        floor.engine.start(order)
        story = await floor.printed(order.attempt, b"\n")
        assert alive(pid_in(story))
        floor.engine.abort(order.attempt, grace_seconds=order.execution.grace_seconds)
        story = await floor.ended(order.attempt)
        assert not alive(pid_in(story))
        return story

    return bench.play(scene)


def pid_in(story: Story) -> int:
    return int(story.printed("out").split()[1])


def test_one_slot_serves_scripts_of_any_kind_one_after_the_other(bench: ScriptBench) -> None:
    # Given scripts of three snapshots, one of which fails and one spoils its own process
    spoil = (
        "import os, sys, signal\nsys.path.clear(); os.environ.clear(); os.close(1); os.chdir('/')"
    )
    orders = [
        bench.script("import treadle; treadle.output(1)"),
        bench.script("1/0"),
        bench.script(spoil),
        bench.script("echo hello; true & wait", "work.sh"),
        bench.script("import treadle; treadle.output(2); print('end')"),
    ]

    # When one slot performs them in turn
    stories = run(bench, *orders)

    # Then each is as if it was the first
    assert [story.report.outcome for story in stories] == [
        "completed", "failed", "completed", "completed", "completed",
    ]  # fmt: skip
    assert stories[1].failure.message == "ZeroDivisionError: division by zero"
    assert [stories[0].result, stories[4].result] == [1, 2]
    assert stories[3].printed("out") == b"hello\n"


def test_an_abort_ends_the_script_at_once(bench: ScriptBench) -> None:
    for order in (bench.script(WAIT), bench.script("echo pid $$; sleep 600", "work.sh")):
        assert aborted(bench, order).report.outcome == "aborted"


def test_a_script_may_end_in_order_when_it_is_aborted(bench: ScriptBench) -> None:
    text = f"""
import signal, sys
def end(*_):
    print("asked", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
{WAIT}
"""
    story = aborted(bench, bench.script(text, grace_seconds=30))
    assert story.report.outcome == "aborted"
    assert story.printed("out").count(b"asked") == 1


def test_a_script_that_does_not_listen_is_killed_after_the_grace(bench: ScriptBench) -> None:
    text = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{WAIT}"
    assert aborted(bench, bench.script(text, grace_seconds=0.3)).report.outcome == "aborted"


def test_a_timeout_ends_it_and_is_told(bench: ScriptBench) -> None:
    (story,) = run(bench, bench.script(WAIT, timeout_seconds=0.5))
    assert story.failure.type == FailureType.TIMEOUT
    assert not alive(pid_in(story))


def test_a_memory_limit_holds_for_the_script(bench: ScriptBench) -> None:
    text = f"{SAY_PID}x = bytearray(b'x') * 400_000_000\ntime.sleep(600)"
    (story,) = run(bench, bench.script(text, memory_bytes=100_000_000))
    assert story.failure.type == FailureType.MEMORY
    assert not alive(pid_in(story))


def test_a_crash_of_the_script_leaves_the_slot_whole(bench: ScriptBench) -> None:
    crash, after = bench.script("import os; os.abort()"), bench.script("print('fine')")
    stories = run(bench, crash, after)
    assert stories[0].failure.type == FailureType.CRASHED
    assert stories[0].failure.certificate.signal == signal.SIGABRT
    assert stories[0].pid == stories[1].pid
    assert stories[1].printed("out") == b"fine\n"


def test_what_a_script_leaves_running_ends_with_it(bench: ScriptBench) -> None:
    text = """
setsid sleep 600 > /dev/null 2>&1 &
echo pid $!
"""
    left, after = run(bench, bench.script(text, "work.sh"), bench.script("print('fine')"))
    assert left.report.outcome == "completed"
    assert not alive(pid_in(left))
    assert after.report.outcome == "completed"


def test_a_signal_to_all_of_its_group_reaches_the_script_alone(bench: ScriptBench) -> None:
    (story,) = run(bench, bench.script("trap 'echo trapped; exit 3' TERM; kill 0; sleep 9", "a.sh"))
    assert story.failure.certificate.exit_code == 3
    assert b"trapped" in story.printed("out")


def test_a_signal_from_outside_ends_it_as_a_crash(bench: ScriptBench) -> None:
    text = f"{SAY_PID}os.kill(os.getppid(), 15)\ntime.sleep(600)"
    (story,) = run(bench, bench.script(text))
    assert story.failure.type == FailureType.CRASHED
    assert story.failure.certificate.signal == signal.SIGTERM
    assert not alive(pid_in(story))


def test_the_descriptors_of_the_slot_are_out_of_reach(bench: ScriptBench) -> None:
    text = """
import os
for fd in map(int, os.listdir("/proc/self/fd")):
    if fd > 2:
        try:
            os.write(fd, b"garbage" * 100)
        except OSError:
            pass
os.closerange(3, 100)
"""
    stories = run(bench, bench.script(text), bench.script("print('fine')"))
    assert [story.report.outcome for story in stories] == ["completed", "completed"]


def test_its_output_is_told_live_and_in_full(bench: ScriptBench) -> None:
    (story,) = run(bench, bench.script("import os\nprint('a')\nos.write(1, b'b' * 200_000)"))
    assert story.printed("out") == b"a\n" + b"b" * 200_000
