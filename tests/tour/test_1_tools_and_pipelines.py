"""Chapter 1. A tool is a function; a pipeline calls tools; a run is what happened."""

import treadle
from treadle import pipeline, tool
from treadle.client import Client


@tool
def numbers(count: int) -> list[int]:
    return list(range(1, count + 1))


@tool(outputs=("even", "odd"))
def sort_out(values: list[int]) -> tuple[list[int], list[int]]:
    return [v for v in values if v % 2 == 0], [v for v in values if v % 2]


@tool(cpus=1, memory="500MB", timeout="1m")
def total(values: list[int]) -> int:
    """Add up, and tell on the way."""
    result = 0
    for done, value in enumerate(values, start=1):
        result += value
        treadle.log_metric("sum so far", result, step=done)
        treadle.progress(done, len(values))
    print(f"the sum of {len(values)} numbers is {result}")
    return result


@tool
def table(rows: dict[str, int]) -> dict[str, int]:
    return dict(sorted(rows.items()))


@pipeline
def sums(count: int = 10):
    """Sums of the even and of the odd numbers up to a count."""
    even, odd = sort_out(numbers(count))
    return table({"odd": total.named("total-odd")(odd), "even": total.named("total-even")(even)})


def test_a_tool_is_still_the_function_it_was() -> None:
    assert total([1, 2, 3]) == 6


def test_a_pipeline_called_as_a_function_runs_here_and_can_be_debugged() -> None:
    assert sums(4) == {"odd": 4, "even": 6}


def test_a_run_ends_with_the_results_of_its_steps(t: Client) -> None:
    run = t.run(sums, count=6)

    assert run.state == "completed"
    assert run.parameters == {"count": 6}
    assert run.output == {"even": 12, "odd": 9}
    assert run["total-odd"].result() == 9
    assert run["sort_out"].result("even") == [2, 4, 6]


def test_the_steps_are_those_that_the_calls_made(t: Client) -> None:
    run = t.run(sums)

    assert [step.name for step in run.steps] == [
        "numbers",
        "sort_out",
        "total-odd",
        "total-even",
        "table",
    ]
    assert {step.state for step in run.steps} == {"completed"}


def test_what_a_step_prints_and_measures_is_kept(t: Client) -> None:
    run = t.run(sums, count=4)

    assert b"".join(run.logs("total-odd")) == b"the sum of 2 numbers is 4\n"
    found = [(m.name, m.value, m.step) for m in run["total-odd"].metrics()]
    assert found == [("sum so far", 1.0, 1), ("sum so far", 4.0, 2)]


def test_submit_returns_at_once_and_wait_waits(t: Client) -> None:
    run = t.submit(sums, count=2)

    assert run.wait().state == "completed"
    assert [found.id for found in t.runs()] == [run.id]


def test_constants_of_any_kind_go_along(t: Client) -> None:
    import numpy as np

    @tool
    def scaled(array: "np.ndarray", factor: float) -> "np.ndarray":
        return array * factor

    @pipeline
    def scale():
        return scaled(np.arange(100_000), 2.0)

    run = t.run(scale)

    assert (run["scaled"].result() == np.arange(100_000) * 2.0).all()
