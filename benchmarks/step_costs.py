"""`python -m benchmarks.step_costs`: where the time of one step goes, in the owner's loop.

Prints microseconds a step: of a chain, in which each step waits for the one before, and of a
fan-out, in which two slots are kept busy.
"""

import functools
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import treadle
from treadle import pipeline, tool
from treadle.engine.local.engine import LocalEngine
from treadle.engine.local.slots import Slots
from treadle.scheduler.scheduler import Scheduler
from treadle.storage.ledger.sqlite import SqliteLedger

STEPS = 1000
PARTS = {
    "one transaction and all in it": (SqliteLedger, "_flush"),
    "  of it: settling and leasing": (Scheduler, "_decide"),
    "after the commit: orders, followers": (Scheduler, "_carry_out"),
    "  of it: sending the order": (LocalEngine, "start"),
    "reading what a slot says": (Slots, "_line_readable"),
}


@tool
def add_one(number: int) -> int:
    return number + 1


@pipeline
def chain():
    result = 0
    for _ in range(STEPS):
        result = add_one(result)
    return result


@pipeline
def fan_out():
    return [add_one(number) for number in range(STEPS)]


def timed(function: Callable[..., Any], name: str, seconds: Counter[str]) -> Callable[..., Any]:
    @functools.wraps(function)
    def measured(*args: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            seconds[name] += time.perf_counter() - begun

    return measured


def main() -> None:
    seconds: Counter[str] = Counter()
    for name, (owner, method) in PARTS.items():
        setattr(owner, method, timed(getattr(owner, method), name, seconds))
    columns = {}
    with treadle.local(slots=2, data_dir=tempfile.mkdtemp()) as local:
        for shape in (chain, fan_out):
            local.run(shape)
            seconds.clear()
            run = local.run(shape).record
            assert run.ended_at is not None
            whole = (run.ended_at - run.created_at).total_seconds()
            columns[shape.name] = {"a step, from first to last": whole, **seconds}
    print(f"{'microseconds a step':40}" + "".join(f"{name:>10}" for name in columns))
    for part in ("a step, from first to last", *PARTS):
        figures = (column[part] / STEPS * 1e6 for column in columns.values())
        print(f"{part:40}" + "".join(f"{figure:10.0f}" for figure in figures))


if __name__ == "__main__":
    main()
