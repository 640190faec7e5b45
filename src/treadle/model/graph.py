"""The DAG of a pipeline: who waits for whom, and what is wrong with it."""

import difflib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from treadle.errors import InvalidDefinition
from treadle.model.bindings import Output, leaves
from treadle.model.records import Step, Tool

Parents = Mapping[str, frozenset[str]]  #: step name -> names of the steps it waits for


def parents_of(step: Step) -> frozenset[str]:
    """Steps whose outputs this one takes, and those it was told to come after."""
    taken = {
        leaf.step
        for binding in step.arguments.values()
        for leaf in leaves(binding)
        if isinstance(leaf, Output)
    }
    return frozenset(taken | set(step.after))


def check(steps: Sequence[Step], tools: Mapping[str, Tool]) -> Parents:
    """Return each step's parents if the steps form a DAG over known tools and outputs.

    tools: by tool id. Raises InvalidDefinition, with the place of the first offending step, for a
    duplicate name, an unknown tool, an unknown input step or output, or a cycle.
    """
    known: dict[str, Step] = {}
    for step in steps:
        if step.name in known:
            raise InvalidDefinition(
                f"two steps are called {step.name!r} (the other at {known[step.name].where})",
                where=step.where,
                hint="Give one of them another name.",
            )
        if step.tool_id not in tools:
            raise InvalidDefinition(
                f"step {step.name!r} uses a tool that is not in the pipeline", where=step.where
            )
        known[step.name] = step
    parents = {step.name: parents_of(step) for step in steps}
    for step in steps:
        _check_inputs(step, known, tools)
        _check_after(step, known)
    if cycle := find_cycle(parents):
        raise InvalidDefinition(
            f"steps wait for each other in a circle: {' -> '.join(cycle)}",
            where=known[cycle[0]].where,
            hint="Remove one of these inputs.",
        )
    return parents


def _check_inputs(step: Step, known: Mapping[str, Step], tools: Mapping[str, Tool]) -> None:
    for argument, binding in step.arguments.items():
        for leaf in leaves(binding):
            if not isinstance(leaf, Output):
                continue
            if leaf.step not in known:
                raise InvalidDefinition(
                    f"input {argument!r} of step {step.name!r} comes from step {leaf.step!r}, "
                    "which is not in the pipeline",
                    where=step.where,
                    hint=nearest(leaf.step, known),
                )
            outputs = tools[known[leaf.step].tool_id].outputs
            if leaf.name not in outputs:
                raise InvalidDefinition(
                    f"input {argument!r} of step {step.name!r} takes output {leaf.name!r} of step "
                    f"{leaf.step!r}, which has only {', '.join(outputs)}",
                    where=step.where,
                    hint=nearest(leaf.name, outputs),
                )


def _check_after(step: Step, known: Mapping[str, Step]) -> None:
    for name in step.after:
        if name not in known:
            raise InvalidDefinition(
                f"step {step.name!r} comes after step {name!r}, which is not in the pipeline",
                where=step.where,
                hint=nearest(name, known),
            )


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest right spelling, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close else ""


def topological(parents: Parents) -> list[str]:
    """Names so that parents come first; among equals, in the order given (Kahn, 1962).

    The names of a cycle, and what waits for it, are left out.
    """
    children: dict[str, list[str]] = {name: [] for name in parents}
    missing = {name: len(above) for name, above in parents.items()}
    for name, above in parents.items():
        for parent in above:
            children[parent].append(name)
    ready = deque(name for name, count in missing.items() if count == 0)
    order: list[str] = []
    while ready:
        name = ready.popleft()
        order.append(name)
        for child in children[name]:
            missing[child] -= 1
            if missing[child] == 0:
                ready.append(child)
    return order


def find_cycle(parents: Parents) -> list[str]:
    """One cycle as [a, b, ..., a], each waiting for the next; empty if there is none."""
    stuck = set(parents) - set(topological(parents))
    if not stuck:
        return []
    path = [next(name for name in parents if name in stuck)]
    while path.count(path[-1]) == 1:
        path.append(min(parents[path[-1]] & stuck))
    return path[path.index(path[-1]) :]


def descendants(parents: Parents, of: Iterable[str]) -> set[str]:
    """All that waits, directly or not, for one of the given steps (these left out)."""
    children: dict[str, list[str]] = {}
    for name, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(name)
    found: set[str] = set()
    todo = list(of)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found
