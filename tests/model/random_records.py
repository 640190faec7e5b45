"""Random records, bindings and graphs."""

from hypothesis import strategies as st

from treadle.model.bindings import Binding, Entries, Items, Output, Stored, Value
from treadle.model.records import (
    Certificate,
    Code,
    Execution,
    Failure,
    FailureType,
    Pipeline,
    Step,
    Submission,
    Tool,
)
from treadle.model.refs import Ref

names = st.from_regex(r"[a-z][a-z0-9/-]{0,8}", fullmatch=True)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
refs = st.builds(
    Ref,
    digest=st.text("0123456789abcdef", min_size=64, max_size=64),
    size_bytes=st.integers(0, 2**40),
    media_type=st.sampled_from(["application/json", "application/x-npy"]),
    codec=st.sampled_from(["json", "npy", "path:report.html"]),
    inline=st.none() | st.binary(max_size=20),
)
bindings: st.SearchStrategy[Binding] = st.recursive(
    st.builds(Value, json_values) | st.builds(Output, names, names) | st.builds(Stored, refs),
    lambda inner: (
        st.builds(Items, st.sampled_from(["list", "tuple"]), st.lists(inner, max_size=3).map(tuple))
        | st.builds(Entries, st.dictionaries(st.text(), inner, max_size=3))
    ),
    max_leaves=6,
)
seconds = st.floats(0, 1e6)
executions = st.builds(
    Execution,
    cpus=seconds,
    memory_bytes=st.none() | st.integers(1, 2**50),
    gpus=st.integers(0, 8),
    timeout_seconds=st.none() | seconds,
    retries=st.integers(0, 9),
    backoff_seconds=seconds,
    retry_on=st.lists(st.sampled_from(FailureType), unique=True).map(tuple),
    on_lost=st.sampled_from(["requeue", "fail"]),
)
codes = st.builds(
    Code, kind=st.sampled_from(["snapshot", "value"]), digest=names, entry=names, project_dir=names
)
tools = st.builds(
    Tool,
    id=names,
    name=names,
    version=names,
    code=codes,
    description=st.text(),
    parameters_schema=st.dictionaries(st.text(), json_values, max_size=3),
    outputs=st.lists(names, min_size=1, max_size=3).map(tuple),
    execution=executions,
)
steps = st.builds(
    Step,
    name=names,
    tool_id=names,
    arguments=st.dictionaries(names, bindings, max_size=3),
    after=st.lists(names, max_size=2).map(tuple),
    where=names,
    execution=st.none() | executions,
)
submissions = st.builds(
    Submission,
    pipeline=st.builds(
        Pipeline,
        name=names,
        version=names,
        tools=st.lists(tools, max_size=2).map(tuple),
        steps=st.lists(steps, max_size=3).map(tuple),
        description=st.text(),
        parameters_schema=st.dictionaries(st.text(), json_values, max_size=3),
        output=st.none() | bindings,
        concurrency=st.none() | st.integers(1, 9),
    ),
    parameters=st.dictionaries(st.text(), json_values, max_size=3),
    priority=st.integers(-9, 9),
    fail_fast=st.booleans(),
    labels=st.dictionaries(st.text(), st.text(), max_size=3),
)
certificates = st.builds(
    Certificate,
    signal=st.none() | st.integers(1, 64),
    exit_code=st.none() | st.integers(0, 255),
    out_of_memory=st.booleans(),
    peak_memory_bytes=st.none() | st.integers(0, 2**50),
    last_lines=st.text(),
)
failures = st.builds(
    Failure,
    type=st.sampled_from(FailureType),
    message=st.text(),
    exception=st.text(),
    traceback=st.text(),
    hint=st.text(),
    certificate=st.none() | certificates,
)


@st.composite
def dags(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    """Parents by name, in shuffled order, without cycles."""
    count = draw(st.integers(0, 12))
    parents = {
        f"s{i}": frozenset(f"s{j}" for j in draw(st.sets(st.integers(0, i - 1))))
        if i
        else frozenset()
        for i in range(count)
    }
    return dict(draw(st.permutations(list(parents.items()))))


@st.composite
def cyclic_graphs(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    """A DAG with one cycle put into it."""
    parents = draw(dags().filter(bool))
    ring = draw(st.lists(st.sampled_from(sorted(parents)), min_size=1, unique=True))
    for name, parent in zip(ring, ring[1:] + ring[:1], strict=True):
        parents[name] |= {parent}
    return parents
