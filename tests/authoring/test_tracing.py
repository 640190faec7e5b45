"""Calling tools inside a pipeline traces its steps; nothing runs."""

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from treadle import codecs, pipeline, tool
from treadle.authoring.tracing import Traced
from treadle.errors import InvalidDefinition, InvalidParameters
from treadle.model.bindings import Entries, Items, Output, Stored, Value
from treadle.model.records import Execution, FailureType, Step

HERE = "tests/authoring/test_tracing.py"


@tool
def load(name: str = "wine", rows: int | None = None) -> pd.DataFrame:
    raise AssertionError("a trace runs nothing")


@tool(outputs=("train", "test"))
def split(data: pd.DataFrame, share: float = 0.5) -> tuple[pd.DataFrame, pd.DataFrame]:
    raise AssertionError("a trace runs nothing")


@tool(cpus=1, memory="1GB", retries=2)
def train(data: Any, model: str = "forest", seed: int = 0, **more: Any) -> float:
    """Train a model."""
    raise AssertionError("a trace runs nothing")


@tool
def best(models: Any, *others: Any) -> Any:
    raise AssertionError("a trace runs nothing")


@pipeline(concurrency=2, fail_fast=True, priority=7)
def compare(dataset: Literal["wine", "digits"] = "wine", seed: int = 0) -> Any:
    """Train three kinds of model and keep the best."""
    data = load(dataset)
    return best([train(data, model, seed) for model in ("logistic", "forest")])


def steps_of(traced: Traced) -> dict[str, Step]:
    return {step.name: step for step in traced.pipeline.steps}


def test_the_steps_are_what_the_calls_say() -> None:
    traced = compare.trace(dataset="digits")

    steps = steps_of(traced)
    assert list(steps) == ["load", "train", "train-2", "best"]
    assert steps["load"].arguments == {"name": Value("digits")}
    assert steps["train-2"].arguments == {
        "data": Output("load"),
        "model": Value("forest"),
        "seed": Value(0),
    }
    assert steps["best"].arguments == {
        "models": Items("list", (Output("train"), Output("train-2")))
    }
    assert traced.pipeline.output == Output("best")


def test_the_pipeline_carries_its_options_and_the_parameters_with_their_defaults() -> None:
    traced = compare.trace(dataset="digits")

    assert traced.parameters == {"dataset": "digits", "seed": 0}
    assert traced.pipeline.description == "Train three kinds of model and keep the best."
    assert traced.pipeline.concurrency == 2
    submission = traced.submission({"by": "me"})
    assert (submission.priority, submission.fail_fast) == (7, True)
    assert submission.labels == {"by": "me"}


def test_each_tool_is_there_once_with_what_it_asks_for() -> None:
    tools = {tool.name: tool for tool in compare.trace().pipeline.tools}

    assert sorted(tools) == ["best", "load", "train"]
    assert tools["train"].execution == Execution(memory_bytes=10**9, retries=2)
    assert tools["train"].description == "Train a model."


def test_every_step_knows_the_line_that_made_it() -> None:
    @pipeline
    def two() -> Any:
        data = load()
        return train(
            data,
        )

    line = two.function.__code__.co_firstlineno

    steps = steps_of(two.trace())
    assert steps["load"].where == f"{HERE}:{line + 2}"
    assert steps["train"].where == f"{HERE}:{line + 3}"


def test_results_are_found_in_nested_lists_tuples_and_dicts() -> None:
    @pipeline
    def nested() -> Any:
        a, b = load(), load()
        return best({"x": [a, (b, 1)], "y": {"z": None}}, a, 2, "c")

    traced = nested.trace()

    x = Items("list", (Output("load"), Items("tuple", (Output("load-2"), Value(1)))))
    others = Items("tuple", (Output("load"), Value(2), Value("c")))
    assert steps_of(traced)["best"].arguments == {
        "models": Entries({"x": x, "y": Value({"z": None})}),
        "others": others,
    }


def test_several_outputs_come_as_a_named_tuple() -> None:
    @pipeline
    def parts() -> Any:
        made = split(load())
        first, _ = made
        return {"a": train(first), "b": train(made.test), "c": made}  # type: ignore[attr-defined]

    traced = parts.trace()

    steps = steps_of(traced)
    assert steps["train"].arguments["data"] == Output("split", "train")
    assert steps["train-2"].arguments["data"] == Output("split", "test")
    assert isinstance(traced.pipeline.output, Entries)
    both = (Output("split", "train"), Output("split", "test"))
    assert traced.pipeline.output.entries["c"] == Items("tuple", both)


def test_steps_may_be_named_ordered_and_given_other_resources() -> None:
    @pipeline
    def ordered() -> Any:
        data = load()
        checked = best.named("check")(data)
        return train.named("final").options(cpus=2).after(checked, [data])(1, seed=3)

    steps = steps_of(ordered.trace())

    assert list(steps) == ["load", "check", "final"]
    assert steps["final"].after == ("check", "load")
    assert steps["final"].execution == Execution(cpus=2.0, memory_bytes=10**9, retries=2)
    assert steps["check"].execution is None


def test_a_free_name_is_found_beside_given_ones() -> None:
    @pipeline
    def named() -> Any:
        load.named("train")()
        return best([train(1), train(2)])

    assert list(steps_of(named.trace())) == ["train", "train-2", "train-3", "best"]


def test_a_name_given_twice_is_refused_with_both_places() -> None:
    @pipeline
    def twice() -> Any:
        first = load.named("data")()
        return best.named("data")(first)

    with pytest.raises(InvalidDefinition) as caught:
        twice.trace()

    line = twice.function.__code__.co_firstlineno
    assert str(caught.value) == (
        f"{HERE}:{line + 3}: two steps are called 'data' (the other at {HERE}:{line + 2}). "
        "Give one of them another name."
    )


def test_a_pipeline_inside_a_pipeline_places_its_steps_under_its_name() -> None:
    @pipeline
    def inner(data: Any, seed: int) -> Any:
        return train(data, seed=seed)

    @pipeline
    def outer() -> Any:
        data = load()
        return best([inner(data, 1), inner(data, 2), train(data)])

    traced = outer.trace()

    assert list(steps_of(traced)) == ["load", "inner/train", "inner-2/train", "train", "best"]


def test_a_run_cannot_be_started_inside_a_pipeline() -> None:
    @pipeline
    def outer() -> Any:
        return compare.run()

    with pytest.raises(InvalidDefinition, match=r"run\(\) is called inside a pipeline\. Call comp"):
        outer.trace()


def test_a_pipeline_without_steps_is_refused() -> None:
    @pipeline
    def empty(count: int = 0) -> Any:
        return [load() for _ in range(count)]

    with pytest.raises(InvalidDefinition, match="has no steps with these parameters"):
        empty.trace()
    assert len(empty.trace(count=2).pipeline.steps) == 2


@dataclass
class Setting:
    rate: float


class Kind(enum.Enum):
    SMALL = "small"


@pytest.mark.parametrize(
    "constant",
    [
        np.arange(5),
        pd.DataFrame({"a": [1, 2]}),
        Setting(0.5),
        Kind.SMALL,
        {1, 2},
        float("inf"),
        {1: "one"},
        (Setting(1.0), 2),
        2**80,
    ],
    ids=repr,
)
def test_other_constants_are_stored_as_bytes_and_come_back(constant: Any) -> None:
    @pipeline
    def with_constant() -> Any:
        return train(constant)

    binding = steps_of(with_constant.trace())["train"].arguments["data"]

    assert isinstance(binding, Stored)
    ref = binding.ref
    assert ref.inline is not None
    found = codecs.decode(ref.codec, memoryview(ref.inline))
    assert type(found) is type(constant)
    assert np.all(found == constant)


def test_functions_may_be_constants() -> None:
    @pipeline
    def with_function() -> Any:
        return train(lambda x: x + 1)

    binding = steps_of(with_function.trace())["train"].arguments["data"]

    assert isinstance(binding, Stored) and binding.ref.inline is not None
    assert codecs.decode(binding.ref.codec, memoryview(binding.ref.inline))(1) == 2


def test_plain_tuples_need_no_pickle() -> None:
    @pipeline
    def with_tuple() -> Any:
        return train((1, "a"))

    binding = steps_of(with_tuple.trace())["train"].arguments["data"]

    assert binding == Items("tuple", (Value(1), Value("a")))


@pytest.mark.parametrize("constant", [np.zeros(100_000), list(range(50_000)), "x" * 70_000])
def test_large_constants_are_blobs_to_upload(constant: Any) -> None:
    @pipeline
    def with_large() -> Any:
        return best([train(constant), train(constant)])

    traced = with_large.trace()

    first, second = (steps_of(traced)[name].arguments["data"] for name in ("train", "train-2"))
    assert isinstance(first, Stored) and first == second
    assert first.ref.inline is None
    data = bytearray(traced.blobs[first.ref.digest])
    assert len(data) == first.ref.size_bytes
    assert np.all(codecs.decode(first.ref.codec, memoryview(data)) == constant)


def test_an_array_changed_between_two_calls_is_two_constants() -> None:
    @pipeline
    def changing() -> Any:
        array: NDArray[np.int64] = np.zeros(20_000, dtype=np.int64)
        first = train(array)
        array[0] = 1
        return best([first, train(array)])

    steps = steps_of(changing.trace())

    assert steps["train"].arguments["data"] != steps["train-2"].arguments["data"]


def test_a_constant_that_cannot_be_stored_is_refused_with_its_place() -> None:
    @pipeline
    def with_lock() -> Any:
        return train([threading.Lock()])

    with pytest.raises(InvalidDefinition, match="argument 'data' of step 'train' cannot be stored"):
        with_lock.trace()


def refused(traced: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InvalidParameters) as caught:
        traced(*args, **kwargs)
    return str(caught.value)


def test_pipeline_parameters_are_checked_before_anything_is_traced() -> None:
    here = f"{HERE}:{refused.__code__.co_firstlineno + 2}"

    assert refused(compare.trace, seed="x") == f"{here}: compare(seed=...): expected int, got str"
    assert refused(compare.trace, dataset="rice") == (
        f"{here}: compare(dataset=...): invalid value 'rice'. Choose 'digits' or 'wine'."
    )
    assert refused(compare.trace, sed=1) == (
        f"{here}: compare(sed=...): there is no such parameter. Did you mean 'seed'?"
    )
    assert "too many positional arguments" in refused(compare.trace, "wine", 1, 2)


def test_arguments_of_tools_are_checked_where_they_are_given() -> None:
    @pipeline
    def wrong() -> Any:
        return train(load(), seed="x")  # type: ignore[arg-type]

    line = wrong.function.__code__.co_firstlineno + 2
    assert refused(wrong.trace) == f"{HERE}:{line}: train(seed=...): expected int, got str"


def test_a_missing_argument_is_named() -> None:
    @pipeline
    def wrong() -> Any:
        return train()  # type: ignore[call-arg]

    assert "train(): missing a required argument: 'data'" in refused(wrong.trace)


def test_parameters_arrive_as_their_annotations_say() -> None:
    seen = []

    @pipeline
    def typed(kind: Kind, setting: Setting, file: Path, share: float = 1) -> Any:
        seen.extend([kind, setting, file, share])
        return load()

    setting: Any = {"rate": 0.5}
    traced = typed.trace(kind="small", setting=setting, file="a.csv", share=2)  # type: ignore[arg-type]

    assert seen == [Kind.SMALL, Setting(0.5), Path("a.csv"), 2.0]
    assert traced.parameters == {
        "kind": "small",
        "setting": {"rate": 0.5},
        "file": "a.csv",
        "share": 2.0,
    }


def test_parameters_that_json_does_not_know_are_recorded_by_their_type() -> None:
    @pipeline
    def framed(data: pd.DataFrame) -> Any:
        return train(data)

    traced = framed.trace(pd.DataFrame({"a": [1]}))

    assert "DataFrame" in traced.parameters["data"]["x-python-type"]
    assert "expected DataFrame, got int" in refused(framed.trace, 3)


class Scorer(Protocol):
    def score(self) -> float: ...


def test_what_isinstance_cannot_ask_is_let_through() -> None:
    @pipeline
    def scored(scorer: Scorer, call: Callable[[int], int], items: "list[Nowhere]") -> Any:  # type: ignore[name-defined]  # noqa: F821
        return load()

    traced = scored.trace(1, len, [1])  # type: ignore[arg-type]

    schema = traced.pipeline.parameters_schema["properties"]
    assert schema["scorer"]["title"] == "Scorer"
    assert schema["items"] == {"title": "list[Nowhere]", "x-python-type": "list[Nowhere]"}
    assert "call" in refused(scored.trace, 1, 2, 3)


def test_the_same_call_traces_to_the_same_pipeline() -> None:
    assert compare.trace() == compare.trace()


def test_failure_types_are_those_of_the_model() -> None:
    @tool(retry_on=("crashed", "memory"))
    def work() -> None: ...

    assert work.execution.retry_on == (FailureType.CRASHED, FailureType.MEMORY)
