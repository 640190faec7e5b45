"""What every runtime promises; run on each of them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.bench import Ear, RuntimeBench
from runtime.scripts import ScriptBench
from treadle.interfaces import Runtime
from treadle.model.orders import Order
from treadle.model.records import FailureType
from treadle.runtime.function import FunctionRuntime
from treadle.runtime.script import ScriptRuntime

Make = Callable[[str], Order]  #: what the job does -> an order that does it


def _completes() -> int:
    return 5


def _fails() -> None:
    raise ValueError("no good")


def _interrupts() -> None:
    raise KeyboardInterrupt


def _exits() -> None:
    raise SystemExit(0)


FUNCTIONS: dict[str, Callable[[], Any]] = {
    "completes": _completes,
    "fails": _fails,
    "interrupts": _interrupts,
    "exits": _exits,
}


SCRIPTS = {
    "completes": "import treadle; treadle.output(5)",
    "fails": "raise ValueError('no good')",
    "interrupts": "raise KeyboardInterrupt",
    "exits": "raise SystemExit(0)",
}


@pytest.fixture(params=["function", "script"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Runtime, Make]:
    if request.param == "script":
        scripts = ScriptBench(tmp_path)
        return ScriptRuntime(), lambda does: scripts.script(SCRIPTS[does])
    bench = RuntimeBench(tmp_path)
    return FunctionRuntime(), lambda does: bench.order(FUNCTIONS[does])


def test_it_says_started_once_and_reports(runtime: tuple[Runtime, Make]) -> None:
    performer, make = runtime
    ear = Ear()
    report = performer.perform(make("completes"), ear)
    assert ear.told == [("started",)]
    assert report.outcome == "completed"
    assert list(report.outputs) == ["result"]
    assert report.cpu_seconds is not None
    assert report.peak_memory_bytes is not None


@pytest.mark.parametrize("does", ["fails", "interrupts"])
def test_what_the_users_code_raises_is_a_report(runtime: tuple[Runtime, Make], does: str) -> None:
    performer, make = runtime
    report = performer.perform(make(does), Ear())
    assert report.outcome == "failed"
    assert report.failure is not None
    assert report.failure.type == FailureType.USER
    assert report.outputs == {}


def test_a_clean_exit_completes(runtime: tuple[Runtime, Make]) -> None:
    performer, make = runtime
    assert performer.perform(make("exits"), Ear()).outcome == "completed"


def test_it_performs_one_order_after_another(runtime: tuple[Runtime, Make]) -> None:
    performer, make = runtime
    outcomes = [
        performer.perform(make(does), Ear()).outcome for does in ("fails", "completes", "fails")
    ]
    assert outcomes == ["failed", "completed", "failed"]


def test_code_that_cannot_be_found_is_a_report(runtime: tuple[Runtime, Make]) -> None:
    performer, make = runtime
    order = make("completes")
    lost = dataclasses.replace(order.code, digest="0" * 64)
    report = performer.perform(dataclasses.replace(order, code=lost), Ear())
    assert report.failure is not None
    assert report.failure.type == FailureType.BUILD
