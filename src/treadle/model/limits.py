"""Numbers and names of submissions that make no sense, or that nothing could keep or show."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.model.bindings import Value, leaves
from treadle.model.records import Execution, Step, Submission, Tool

LARGEST = 2**63 - 1  #: that a ledger can hold
HIGHEST_PRIORITY = 1_000_000
LONGEST_SECONDS = 1e9
BOUNDS: dict[str, tuple[float, float]] = {
    "cpus": (0, 1e6),
    "memory_bytes": (0, LARGEST),
    "gpus": (0, 1e6),
    "timeout_seconds": (0, LONGEST_SECONDS),
    "retries": (0, 1e6),
    "backoff_seconds": (0, LONGEST_SECONDS),
    "backoff_limit_seconds": (0, LONGEST_SECONDS),
    "grace_seconds": (0, LONGEST_SECONDS),
    "concurrency": (1, LARGEST),
    "priority": (-HIGHEST_PRIORITY, HIGHEST_PRIORITY),
}  #: field -> least and most


MOST_NESTED = 400  #: lists and objects in each other; well below what a JSON decoder can follow
LONGEST_NAME = 1000  #: characters
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_CONTAINERS = (list, tuple, Mapping)


def check_submission(submission: Submission) -> None:
    """Raises InvalidDefinition, naming the field."""
    pipeline = submission.pipeline
    check_name("the pipeline's name", pipeline.name)
    check_name("the pipeline's version", pipeline.version)
    for step in pipeline.steps:
        check_name("a step's name", step.name)
    for key in submission.labels:
        check_name("a label's key", key)
    check("concurrency", pipeline.concurrency, pipeline.name)
    check("priority", submission.priority, pipeline.name)
    check_nesting("the parameters", submission.parameters)
    for step in pipeline.steps:
        for argument in step.arguments.values():
            for leaf in leaves(argument):
                if isinstance(leaf, Value):
                    check_nesting(f"an argument of {step.name}", leaf.value)
    check_tools(pipeline.tools, pipeline.steps)


def check_tools(tools: Iterable[Tool], steps: Iterable[Step] = ()) -> None:
    """Raises InvalidDefinition, naming the tool or step and the field."""
    tools = tuple(tools)
    for tool in tools:
        check_name("a tool's name", tool.name)
        check_name("a tool's version", tool.version)
        check_name("a tool's id", tool.id)
        for output in tool.outputs:
            check_name("an output's name", output)
    asked = [(tool.name, tool.execution) for tool in tools]
    asked += [(step.name, step.execution) for step in steps if step.execution is not None]
    for name, execution in asked:
        for field, value in _numbers(execution):
            check(field, value, name)


def check_nesting(what: str, value: Any) -> None:
    """JSON that whoever reads it later can follow. Raises InvalidDefinition."""
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(MOST_NESTED):
        if not level:
            return
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, Mapping) else each)
            if isinstance(inner, _CONTAINERS)
        ]
    raise InvalidDefinition(
        f"{what}: more than {MOST_NESTED} lists or objects in each other.",
        hint="Give it as a file, or flatter.",
    )


def check_name(what: str, name: str) -> None:
    """What stands in lists and in addresses. Raises InvalidDefinition."""
    if not name or len(name) > LONGEST_NAME or _CONTROL.search(name):
        raise InvalidDefinition(
            f"{what} is {name[:60]!r}; it has 1 to {LONGEST_NAME} characters, "
            "no control characters among them."
        )


def _numbers(execution: Execution) -> Iterator[tuple[str, Any]]:
    for each in fields(execution):
        if each.name in BOUNDS:
            yield each.name, getattr(execution, each.name)


def check(field: str, value: float | None, of: str) -> None:
    """None is no limit. Raises InvalidDefinition."""
    least, most = BOUNDS[field]
    if value is not None and not least <= value <= most:
        raise InvalidDefinition(
            f"{of}: {field} is {value}; it goes from {least:,.0f} to {most:,.0f}."
        )
