"""The DAG of a pipeline: its order, its cycles, and what is refused."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from random_records import cyclic_graphs, dags

from treadle.errors import InvalidDefinition
from treadle.model import graph
from treadle.model.bindings import Entries, Items, Output, Value
from treadle.model.records import Code, Step, Tool

TOOL = Tool(id="t", name="tool", version="1", code=Code(kind="snapshot", digest="", entry="m:f"))
SPLIT = Tool(
    id="split",
    name="split",
    version="1",
    code=Code(kind="snapshot", digest="", entry="m:g"),
    outputs=("train", "test"),
)
TOOLS = {"t": TOOL, "split": SPLIT}
Parents = Mapping[str, frozenset[str]]


def steps_of(parents: Parents) -> list[Step]:
    return [
        Step(
            name=name,
            tool_id="t",
            arguments={"x": Items("list", tuple(Output(parent) for parent in sorted(above)))},
            where=f"p.py:{line}",
        )
        for line, (name, above) in enumerate(parents.items(), start=1)
    ]


@given(dags())
def test_every_dag_is_accepted_with_its_parents(parents: Parents) -> None:
    assert graph.check(steps_of(parents), TOOLS) == parents


@given(dags())
def test_in_topological_order_parents_come_first_and_nothing_is_left_out(parents: Parents) -> None:
    order = graph.topological(parents)

    assert sorted(order) == sorted(parents)
    place = {name: i for i, name in enumerate(order)}
    assert all(place[above] < place[name] for name in parents for above in parents[name])


@given(dags())
def test_a_dag_has_no_cycle(parents: Parents) -> None:
    assert graph.find_cycle(parents) == []


@given(cyclic_graphs())
def test_a_cycle_is_found_and_each_of_it_waits_for_the_next(parents: Parents) -> None:
    cycle = graph.find_cycle(parents)

    assert len(cycle) >= 2
    assert cycle[0] == cycle[-1]
    assert all(b in parents[a] for a, b in pairwise(cycle))


@given(cyclic_graphs())
def test_a_pipeline_with_a_cycle_is_refused_with_the_place_of_one_of_its_steps(
    parents: Parents,
) -> None:
    steps = steps_of(parents)

    with pytest.raises(InvalidDefinition, match="in a circle") as caught:
        graph.check(steps, TOOLS)

    assert caught.value.where in {step.where for step in steps}


@given(dags())
def test_descendants_are_all_that_wait_directly_or_not(parents: Parents) -> None:
    def ancestors(name: str) -> set[str]:
        return set(parents[name]).union(*(ancestors(above) for above in parents[name]))

    for name in parents:
        expected = {other for other in parents if name in ancestors(other)}
        assert graph.descendants(parents, [name]) == expected


def step(name: str, tool: str = "t", *, line: int = 1, **options: object) -> Step:
    return Step(name=name, tool_id=tool, where=f"p.py:{line}", **{"arguments": {}, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [step("a", line=1), step("a", line=2)],
            "p.py:2: two steps are called 'a' (the other at p.py:1)",
        ),
        ([step("a", "nothing", line=3)], "p.py:3: step 'a' uses a tool that is not in"),
        (
            [step("load"), step("b", line=2, arguments={"x": Output("laod")})],
            "p.py:2: input 'x' of step 'b' comes from step 'laod', which is not in the pipeline.",
        ),
        (
            [step("a", "split"), step("b", line=2, arguments={"x": Output("a", "tset")})],
            "p.py:2: input 'x' of step 'b' takes output 'tset' of step 'a', which has only train,",
        ),
        (
            [step("a"), step("b", line=2, after=("c",))],
            "p.py:2: step 'b' comes after step 'c', which is not in the pipeline",
        ),
        (
            [step("a", line=1, after=("a",))],
            "p.py:1: steps wait for each other in a circle: a -> a",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_file_and_line(steps: list[Step], message: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        graph.check(steps, TOOLS)

    assert str(caught.value).startswith(message)


def test_a_misspelt_input_comes_with_the_nearest_right_spelling() -> None:
    steps = [step("load"), step("b", line=2, arguments={"x": Output("laod")})]

    with pytest.raises(InvalidDefinition, match=r"pipeline\. Did you mean 'load'\?"):
        graph.check(steps, TOOLS)


def test_parents_are_found_in_lists_dicts_and_after() -> None:
    nested = Entries({"k": Items("tuple", (Value(1), Output("a"))), "l": Output("b")})

    assert graph.parents_of(step("x", arguments={"x": nested}, after=("c",))) == {"a", "b", "c"}
