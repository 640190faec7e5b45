"""How a function is called and what becomes of what it returns."""

import functools
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.bench import RuntimeBench
from treadle import step
from treadle.errors import StorageFull
from treadle.model.bindings import Entries, Items, Stored, Value
from treadle.model.orders import AttemptKey
from treadle.model.records import FailureType
from treadle.storage.blobs import load_value


def test_started_is_told_once_before_the_users_code(bench: RuntimeBench) -> None:
    def log() -> None:
        step.log_metric("a", 1)

    bench.perform(log)
    assert bench.ear.told == [("started",), ("metric", "a", 1.0, None)]


def test_arguments_of_every_shape_arrive_as_they_were(bench: RuntimeBench) -> None:
    def show(plain: int, stored: bytes, nested: Any) -> str:
        return repr((plain, stored, nested))

    stored = bench.binding(b"bytes")
    nested = Items("tuple", (Value(1), Entries({"x": stored, "y": Items("list", (stored,))})))
    given = {"plain": Value(1), "stored": stored, "nested": nested}
    wanted = repr((1, b"bytes", (1, {"x": b"bytes", "y": [b"bytes"]})))
    assert bench.result(show, arguments=given) == wanted


def test_parameters_of_every_kind_are_bound_by_name(bench: RuntimeBench) -> None:
    def show(a: int, b: int = 2, /, c: int = 3, *args: int, d: int = 4, **kwargs: int) -> str:
        return repr((a, b, c, args, d, kwargs))

    every = {"a": Value(10), "b": Value(20), "c": Value(30), "d": Value(40)}
    rest = {"args": bench.binding((5, 6)), "kwargs": Value({"x": 7})}
    assert bench.result(show, arguments={**every, **rest}) == repr(
        (10, 20, 30, (5, 6), 40, {"x": 7})
    )
    assert bench.result(show, arguments={"a": Value(1)}) == repr((1, 2, 3, (), 4, {}))
    named = {"a": Value(1), "kwargs": Value({"x": 7}), "y": Value(8)}  # as a pipeline file gives it
    assert bench.result(show, arguments=named) == repr((1, 2, 3, (), 4, {"x": 7, "y": 8}))


def test_a_name_that_is_no_parameter_fails_the_call(bench: RuntimeBench) -> None:
    def show(a: int, /, *args: int) -> int:
        return a

    failure = bench.failure(show, arguments={"a": Value(1), "nope": Value(1)})
    assert "no parameter 'nope'" in failure.message


def test_an_async_function_is_run_to_its_end(bench: RuntimeBench) -> None:
    async def later() -> str:
        import asyncio

        await asyncio.sleep(0)
        return "now"

    assert bench.result(later) == "now"


def test_a_wrapped_tool_is_called_as_the_function_it_wraps(bench: RuntimeBench) -> None:
    def give() -> int:
        return 7

    @functools.wraps(give)
    def never() -> int:
        raise AssertionError

    assert bench.result("give", digest=bench.code(never)) == 7


def test_declared_outputs_are_taken_from_a_tuple_or_a_dict(bench: RuntimeBench) -> None:
    def pair() -> tuple[int, int]:
        return 1, 2

    def named() -> dict[str, int]:
        return {"b": 2, "a": 1}

    for function in (pair, named):
        report = bench.perform(function, outputs=("a", "b"))
        values = {name: load_value(bench.blobs, ref) for name, ref in report.outputs.items()}
        assert values == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("returned", "said"),
    [((1, 2, 3), "returned 3"), ({"a": 1}, "a dict of a"), (5, "not int"), (None, "not NoneType")],
)
def test_other_than_the_declared_outputs_is_refused(
    bench: RuntimeBench, returned: object, said: str
) -> None:
    def give(value: object) -> object:
        return value

    failure = bench.failure(give, arguments={"value": bench.binding(returned)}, outputs=("a", "b"))
    assert failure.type == FailureType.USER
    assert "a, b" in failure.message
    assert said in failure.message


@pytest.mark.parametrize("code", [None, 0])
def test_sys_exit_without_an_error_completes_with_none(
    bench: RuntimeBench, code: int | None
) -> None:
    def leave(code: int | None) -> None:
        sys.exit(code)

    assert bench.result(leave, code) is None


@pytest.mark.parametrize("code", [3, "no good"])
def test_sys_exit_with_an_error_is_the_users_failure(bench: RuntimeBench, code: int | str) -> None:
    def leave(code: int | str) -> None:
        sys.exit(code)

    failure = bench.failure(leave, code)
    assert failure.type == FailureType.USER
    assert failure.message == f"The function called sys.exit({code!r})."


def test_a_result_that_cannot_be_stored_is_the_users_failure(bench: RuntimeBench) -> None:
    def give() -> Any:
        return (n for n in range(3))

    failure = bench.failure(give)
    assert failure.type == FailureType.USER
    assert "generator" in failure.message


def test_a_full_disk_is_not_the_users_fault_and_is_named(
    bench: RuntimeBench, small_disk: Path
) -> None:
    from treadle.storage.blobs import LocalBlobs

    def give() -> bytes:
        return bytes(3_000_000)

    order = bench.order(give)
    store = LocalBlobs(small_disk / "blobs")
    store.put([bench.blobs.open(order.code.digest)])
    report = bench.perform_order(order, blobs=str(small_disk / "blobs"))
    assert report.failure is not None
    assert report.failure.type == FailureType.INTERNAL
    assert report.failure.exception.endswith(StorageFull.__name__)
    assert str(small_disk) in report.failure.message
    assert report.failure.hint


def test_a_job_knows_its_attempt_and_keeps_its_scratch_directory(bench: RuntimeBench) -> None:
    def count() -> list[int]:
        file = step.scratch_dir() / "count"
        seen = int(file.read_text()) if file.exists() else 0
        file.write_text(str(seen + 1))
        return [step.attempt_number(), seen]

    order = bench.order(count)
    report = None
    for number in (1, 2, 3):
        report = bench.perform_order(order, attempt=AttemptKey("job_1", number))
    assert report is not None
    assert load_value(bench.blobs, report.outputs["result"]) == [3, 2]


def test_a_tool_of_an_unknown_kind_is_refused_by_name(bench: RuntimeBench) -> None:
    report = bench.perform("x", digest="0" * 64, kind="notebook")
    assert report.failure is not None
    assert "'notebook'" in report.failure.message


def test_a_file_passes_from_step_to_step(bench: RuntimeBench, tmp_path: Path) -> None:
    def make(text: str) -> Path:
        path = step.scratch_dir() / "made.txt"
        path.write_text(text)
        return path

    def read(path: Path) -> list[str]:
        return [path.name, path.read_text()]

    made = bench.perform(make, "words")
    arguments = {"path": Stored(made.outputs["result"])}
    assert bench.result(read, arguments=arguments) == ["made.txt", "words"]


def test_a_blob_store_that_does_not_exist_is_an_internal_failure(bench: RuntimeBench) -> None:
    def give() -> int:
        return 1

    report = bench.perform_order(bench.order(give), blobs="nowhere://bucket")
    assert report.outcome == "failed"
    assert report.failure is not None
