"""@tool leaves a function as it was, and refuses what cannot run in another process."""

import asyncio
import functools
import inspect
import json
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import cloudpickle
import pytest

from treadle import pipeline, tool
from treadle.errors import InvalidDefinition
from treadle.model.records import Execution


@tool
def add(a: int, b: int = 2, *rest: int, c: int = 0) -> int:
    """Add numbers."""
    return a + b + sum(rest) + c


@pipeline
def adding(a: int = 1) -> Any:
    return add(add(a))


def test_a_tool_is_called_exactly_as_its_function() -> None:
    assert add(1) == 3
    assert add(1, 1, 1, c=1) == 4
    with pytest.raises(TypeError):
        add()  # type: ignore[call-arg]


def test_a_tool_looks_like_its_function() -> None:
    assert (add.__name__, add.__doc__, add.__module__) == ("add", "Add numbers.", __name__)
    assert add.__wrapped__ is add.function
    assert inspect.signature(add) == inspect.signature(add.function)


def test_a_pipeline_called_outside_a_trace_runs_as_plain_python() -> None:
    assert adding(1) == 5


def test_an_async_tool_is_awaited_as_before() -> None:
    @tool
    async def later(x: int) -> int:
        return x + 1

    assert asyncio.run(later(1)) == 2


def test_variants_leave_the_tool_as_it_is() -> None:
    variant = add.named("first").options(cpus=2, retries=1).options(memory="1GB")

    assert variant(1) == 3
    assert variant.placement.step == "first"
    wanted = Execution(cpus=2.0, retries=1, memory_bytes=10**9)
    assert variant.placement.execution == wanted
    assert add.placement.execution is None
    assert add.execution == Execution()


def test_an_unknown_option_of_a_step_is_refused_where_it_is_given() -> None:
    with pytest.raises(InvalidDefinition, match=r"test_tools.py:\d+: tool 'add'.* option 'cpu'"):
        add.options(cpu=2)  # type: ignore[call-arg]


def test_static_methods_may_be_tools() -> None:
    class Group:
        @staticmethod
        @tool
        def double(x: int) -> int:
            return 2 * x

    assert Group.double(2) == Group().double(2) == 4


def test_other_decorators_below_stay_in_force() -> None:
    @tool
    @functools.cache
    def cached(x: int) -> object:
        return object()

    assert cached(1) is cached(1)


def refuse_method() -> object:
    class Model:
        @tool
        def fit(self, data: int) -> None: ...

    return Model


def refuse_generator() -> object:
    @tool
    def rows() -> Iterator[int]:
        yield 1

    return rows


def refuse_async_generator() -> object:
    @tool
    async def rows() -> AsyncIterator[int]:
        yield 1

    return rows


def refuse_async_pipeline() -> object:
    @pipeline
    async def later() -> None: ...

    return later


def refuse_star_in_pipeline() -> object:
    @pipeline
    def many(*names: str) -> None: ...

    return many


def refuse_concurrency() -> object:
    @pipeline(concurrency=0)
    def none() -> None: ...

    return none


def refuse_option() -> object:
    @pipeline(concurency=1)  # type: ignore[call-overload]
    def few() -> None: ...

    return few


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (refuse_method, "tool 'fit': it is a method"),
        (refuse_generator, "tool 'rows': it is a generator"),
        (refuse_async_generator, "tool 'rows': it is a generator"),
        (refuse_async_pipeline, "pipeline 'later': it is async"),
        (refuse_star_in_pipeline, "pipeline 'many': *names: str has no name to give it by"),
        (refuse_concurrency, "pipeline 'none': concurrency=0"),
        (refuse_option, "there is no option 'concurency'. Did you mean 'concurrency'?"),
        (lambda: tool(print), "is not a function"),
        (lambda: tool("text".upper), "is not a function"),
        (lambda: tool(dict), "is not a function"),
        (lambda: tool(functools.partial(add, 1)), "is not a function"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_step_is_refused_with_file_and_line(
    define: Callable[[], object], message: str
) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        define()

    assert message in str(caught.value)
    assert caught.value.where.startswith("tests/authoring/test_tools.py:")
    assert caught.value.hint


def test_a_tool_of_a_module_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(add)) is add
    assert pickle.loads(pickle.dumps(adding)) is adding


def test_a_local_tool_is_pickled_with_its_function() -> None:
    @tool(cpus=2)
    def local(x: int) -> int:
        return x + 1

    _ = local.parameters
    copied = pickle.loads(cloudpickle.dumps(local))

    assert copied(1) == 2
    assert copied.execution == local.execution


def test_decorating_needs_the_standard_library_only(python: Callable[..., str]) -> None:
    loaded = json.loads(
        python(
            "-c",
            """if True:
            import sys, json, treadle
            @treadle.tool(memory="1GB")
            def f(x: int): return x
            @treadle.pipeline(concurrency=2)
            def p(): return f(1)
            assert p() == 1
            print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
            """,
        )
    )

    assert not set(loaded) & {"msgspec", "cloudpickle", "blake3", "httpx", "anyio", "numpy"}
