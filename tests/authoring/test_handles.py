"""A step's result is not known while tracing; using it as if it were is refused."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from treadle import pipeline, tool
from treadle.errors import InvalidDefinition

HERE = "tests/authoring/test_handles.py"


@tool
def load() -> Any:
    return 1


@tool
def use(x: Any) -> Any:
    return x


def look_into(x: Any) -> Any:
    return x.shape


USES: dict[str, Callable[[Any], Any]] = {
    "a bool": lambda x: 1 if x else 2,
    "not": lambda x: not x,
    "iterated": lambda x: list(x),
    "unpacked": lambda x: (lambda a, b: a)(*x),
    "len": len,
    "indexed": lambda x: x[0],
    "in": lambda x: 1 in x,
    "attribute": lambda x: x.mean,
    "method": lambda x: x.mean(),
    "called": lambda x: x(),
    "compared": lambda x: x == 1,
    "ordered": lambda x: x < 1,
    "added": lambda x: x + 1,
    "added from the right": lambda x: 1 + x,
    "negated": lambda x: -x,
    "f-string": lambda x: f"{x}",
    "str": str,
    "int": int,
    "float": math.sqrt,
    "index": lambda x: [1, 2][x],
    "path": Path,
    "array": np.asarray,
    "numpy function": np.mean,
    "in an array": lambda x: use(np.array([1, 2]) * x),
    "frame": lambda x: pd.DataFrame({"a": x}),
    "with": lambda x: x.__enter__(),
    "plain function": look_into,
    "set attribute": lambda x: setattr(x, "name", 1),
    "hidden in a set": lambda x: use({x}),
    "hidden in a dict": lambda x: use({1: x}),
    "hidden in an object": lambda x: use(USES_OF(x)),
    "hidden in a closure": lambda x: use(lambda: x),
}


class USES_OF:
    def __init__(self, x: Any) -> None:
        self.x = x


@pytest.mark.parametrize("way", USES)
def test_using_a_result_while_tracing_is_refused_with_step_place_and_advice(way: str) -> None:
    @pipeline
    def using() -> Any:
        return use(USES[way](load()))

    with pytest.raises(InvalidDefinition) as caught:
        using.trace()

    step_line = using.function.__code__.co_firstlineno + 2
    assert f"the result of step 'load' ({HERE}:{step_line}) is not known" in str(caught.value)
    assert caught.value.where
    assert caught.value.hint.endswith(".")


def test_the_place_of_the_use_is_told() -> None:
    @pipeline
    def using() -> Any:
        data = load()
        if data:
            return use(data)
        return data

    with pytest.raises(InvalidDefinition) as caught:
        using.trace()

    line = using.function.__code__.co_firstlineno
    assert str(caught.value) == (
        f"{HERE}:{line + 3}: the result of step 'load' ({HERE}:{line + 2}) is not known while the "
        "pipeline is traced: it cannot be used as a bool (if, while, and, or, not). "
        "Do this inside a tool, and pass the result to that tool."
    )


def test_a_result_may_be_looked_at_and_passed_around() -> None:
    seen = []

    def pass_on(x: Any) -> Any:
        seen.append(repr(x))
        return copy.copy([x, {"k": x}])

    @pipeline
    def passing() -> Any:
        return use(pass_on(load()))

    passing.trace()

    assert seen[0].startswith("<result of step 'load' (")


def test_results_of_another_trace_are_refused() -> None:
    kept: list[Any] = []

    @pipeline
    def first() -> Any:
        kept.append(load())
        return kept[0]

    @pipeline
    def second() -> Any:
        return use(kept[0])

    @pipeline
    def third() -> Any:
        return use.after(kept[0])(1)

    first.trace()

    for later in (second, third):
        with pytest.raises(InvalidDefinition, match=f"be used in pipeline '{later.name}'"):
            later.trace()
    with pytest.raises(InvalidDefinition, match=r"be passed to use\(\) outside its pipeline"):
        use(kept[0])


def test_after_takes_results_only() -> None:
    @pipeline
    def wrong() -> Any:
        return use.after("load")(1)

    with pytest.raises(InvalidDefinition, match="takes results of steps, got str"):
        wrong.trace()
