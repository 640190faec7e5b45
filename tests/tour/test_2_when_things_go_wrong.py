"""Chapter 2. Mistakes are told before anything runs; failures say whose they are."""

import os

import pytest

import treadle
from treadle import pipeline, tool
from treadle.client import Client
from treadle.errors import InvalidDefinition, InvalidParameters


@tool
def half(x: int) -> float:
    if x == 13:
        raise ValueError("13 brings bad luck")
    return x / 2


@tool
def add(a: float, b: float) -> float:
    return a + b


@pipeline
def halves(x: int, y: int = 1):
    first, second = half(x), half(y)
    return add.named("both")(first, second)


def test_wrong_parameters_are_refused_with_file_and_line(t: Client) -> None:
    with pytest.raises(InvalidParameters, match=r"wrong\.py:\d+: halves\(x=...\): expected int"):
        t.run(halves, x="six")

    with pytest.raises(InvalidParameters, match=r"no such parameter. Did you mean 'y'\?"):
        t.run(halves, x=1, yy=2)
    assert list(t.runs()) == []


def test_a_result_is_not_known_while_the_pipeline_is_traced(t: Client) -> None:
    @pipeline
    def impatient():
        result = half(2)
        return add(result, 1.0) if result > 1 else result

    with pytest.raises(InvalidDefinition, match=r"it cannot be compared\. Do this inside"):
        t.run(impatient)


def test_a_failed_step_fails_only_what_depends_on_it(t: Client) -> None:
    run = t.run(halves, x=13, y=4)

    assert run.state == "failed"
    assert {step.name: str(step.state) for step in run.steps} == {
        "half": "failed",
        "half-2": "completed",
        "both": "skipped",
    }
    failure = run["half"].failure
    assert failure is not None
    assert (failure.type, failure.message) == ("user", "ValueError: 13 brings bad luck")
    assert "test_2_when_things_go_wrong.py" in failure.traceback
    assert run["half-2"].result() == 2.0


def test_asking_for_the_result_of_a_failed_step_raises(t: Client) -> None:
    run = t.run(halves, x=13)

    with pytest.raises(treadle.JobError, match="13 brings bad luck"):
        run["half"].result()


def test_a_retry_goes_on_from_its_checkpoint(t: Client) -> None:
    @tool(retries=1, backoff=0, retry_on="user")
    def count_to(limit: int) -> list[int]:
        checkpoint = treadle.scratch_dir() / "reached"
        start = int(checkpoint.read_text()) if checkpoint.exists() else 0
        for number in range(start + 1, limit + 1):
            checkpoint.write_text(str(number))
            if number == 3 and treadle.attempt_number() == 1:
                raise RuntimeError("interrupted")
        return [start, number]

    @pipeline
    def counting():
        return count_to(5)

    assert t.run(counting)["count_to"].result() == [3, 5]


def test_a_process_that_dies_is_told_from_code_that_raised(t: Client) -> None:
    @tool
    def die() -> None:
        os.kill(os.getpid(), 9)

    @pipeline
    def dying():
        return die()

    run = t.run(dying)

    failure = run["die"].failure
    assert failure is not None
    assert failure.type == "crashed"
    assert failure.certificate is not None
    assert failure.certificate.signal == 9
