"""`treadle.step` inside and outside of a job."""

import logging
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest

from treadle import step


class Ear:
    def __init__(self) -> None:
        self.metrics: list[tuple[str, float, int | None]] = []
        self.steps: list[tuple[float, float | None]] = []

    def metric(self, name: str, value: float, step: int | None) -> None:
        self.metrics.append((name, value, step))

    def progress(self, done: float, total: float | None) -> None:
        self.steps.append((done, total))


def test_outside_a_job_everything_works_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "treadle.step")
    step.log_metric("loss", 0.5, step=2)
    step.progress(1, 4)
    assert [record.getMessage() for record in caplog.records] == [
        "loss = 0.5 (step 2)",
        "progress: 1.0 of 4.0",
    ]
    assert step.attempt_number() == 1
    assert step.scratch_dir().is_dir()
    assert step.scratch_dir() == step.scratch_dir()
    step.scratch_dir().rmdir()


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.5), np.int64(3), Decimal("1.5")])
def test_real_numbers_of_all_kinds_are_metrics(value: object) -> None:
    ear = Ear()
    step.enter(step.CurrentJob(ear, 1, ""))
    try:
        step.log_metric("x", value, step=np.int64(1))  # type: ignore[arg-type]
    finally:
        step.enter(None)
    assert ear.metrics == [("x", float(value), 1)]  # type: ignore[arg-type]
    assert type(ear.metrics[0][1]) is float


@pytest.mark.parametrize("value", ["1", 1j, None, [1], True])
def test_other_values_are_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match=rf"'x' must be a real number, not {type(value).__name__}"):
        step.log_metric("x", value)  # type: ignore[arg-type]


@pytest.mark.parametrize("counter", [2**63, -(2**63) - 1, 10**400])
def test_a_step_too_large_to_be_kept_is_refused(counter: int) -> None:
    with pytest.raises(ValueError, match="'x' does not fit into 64 bits"):
        step.log_metric("x", 1.0, step=counter)


def test_a_name_that_no_wire_can_carry_is_told_with_escapes() -> None:
    ear = Ear()
    step.enter(step.CurrentJob(ear, 1, ""))
    try:
        step.log_metric("\ud800", 1.0)
    finally:
        step.enter(None)
    assert ear.metrics == [("\\ud800", 1.0, None)]


def test_a_metric_needs_a_name_and_a_whole_step() -> None:
    with pytest.raises(TypeError, match="name"):
        step.log_metric(1, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="step"):
        step.log_metric("x", 1, step=1.5)  # type: ignore[arg-type]


def test_progress_in_a_tight_loop_is_thinned_out_but_the_last_is_told() -> None:
    ear = Ear()
    job = step.CurrentJob(ear, 1, "")
    for done in range(1001):
        job.progress(done, 1000)
    job.finish()
    job.finish()
    assert ear.steps[0] == (0, 1000)
    assert ear.steps[-1] == (1000, 1000)
    assert len(ear.steps) < 50


def test_importing_it_loads_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import treadle.step; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(ran.stdout.split()) - set(sys.stdlib_module_names) == {"treadle"}


def test_a_function_has_its_arguments_and_returns_its_results() -> None:
    step.enter(step.CurrentJob(Ear(), 1, ""))
    try:
        assert dict(step.parameters) == {}
        with pytest.raises(KeyError, match="this step is a function"):
            step.inputs["data"]
        with pytest.raises(TypeError, match="a function returns its results"):
            step.output(1)
    finally:
        step.enter(None)


def test_outside_of_a_job_outputs_are_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "treadle.step")
    step.output([1], "model")
    assert "output model: list" in caplog.text
    assert step.inputs.get("data") is None
    assert (len(step.inputs), len(step.parameters), "x" in step.parameters) == (0, 0, False)
    with pytest.raises(KeyError, match="not run as a step"):
        step.parameters["rate"]


def test_a_job_that_is_over_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(step.JOB_VARIABLE, "/no/such/job.json")
    assert step.parameters.get("x", 1) == 1
    step.log_metric("a", 1)
