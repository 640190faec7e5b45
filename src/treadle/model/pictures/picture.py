"""What is drawn: the steps of a pipeline or a run as nodes, large groups of alike steps as one."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from treadle.model.graph import Parents, parents_of
from treadle.model.pictures.folding import classes, state_of
from treadle.model.quantities import size_text
from treadle.model.records import Execution, Job, Pipeline, Step, Tool
from treadle.model.states import JOB_ENDS, JobState

MOST_NODES = 60  #: beyond these, alike steps are drawn as one
LEAST_GROUP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step, or a group of alike ones.

    key: the (first) step's name; unique. caption: a few words below the label. about: lines of a
    tooltip. states: how many of its steps are in which.
    """

    key: str
    label: str
    parents: tuple[str, ...] = ()  #: keys
    kind: str = ""  #: of the tool, if known
    tool: str = ""  #: its name
    caption: str = ""
    about: tuple[str, ...] = ()
    states: Mapping[JobState, int] = field(default_factory=dict)
    count: int = 1

    @property
    def state(self) -> JobState | None:
        """The one state that tells most of it."""
        return state_of(self.states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Nodes in the order of their steps, and what stands above them."""

    title: str
    subtitle: str = ""
    nodes: tuple[Node, ...]

    @property
    def parents(self) -> Parents:
        """Keys of nodes, and of those each waits for."""
        return {node.key: frozenset(node.parents) for node in self.nodes}

    def counts(self) -> Counter[JobState]:
        """How many steps are in each state."""
        found: Counter[JobState] = Counter()
        for node in self.nodes:
            found.update(node.states)
        return found


def of_pipeline(pipeline: Pipeline) -> Picture:
    """A pipeline as it is defined."""
    tools = {tool.id: tool for tool in pipeline.tools}
    nodes = tuple(_defined(step, tools[step.tool_id]) for step in pipeline.steps)
    count = len(nodes)
    subtitle = f"{count} step{'' if count == 1 else 's'}"
    return Picture(title=pipeline.name, subtitle=subtitle, nodes=nodes)


def _defined(step: Step, tool: Tool) -> Node:
    asked = step.execution or tool.execution
    what = tool.code.entry if tool.kind == "script" and tool.code.entry else ""
    if not what and tool.name not in (step.name, group_label(step.name)):
        what = tool.name
    facts = [f"{tool.kind} {tool.name}", *asks(asked), step.where, tool.description]
    return Node(
        key=step.name,
        label=step.name,
        parents=tuple(sorted(parents_of(step))),
        kind=tool.kind,
        tool=tool.name,
        caption=" · ".join(part for part in (tool.kind, what) if part),
        about=tuple(fact for fact in facts if fact),
    )


def of_jobs(
    jobs: Sequence[Job],
    edges: Iterable[tuple[str, str]],
    *,
    title: str,
    subtitle: str = "",
    kinds: Mapping[str, str] | None = None,
) -> Picture:
    """The jobs of a run, with their states; edges: (parent job, child job); kinds: by tool id."""
    steps = {job.id: job.step for job in jobs}
    parents: dict[str, list[str]] = {job.id: [] for job in jobs}
    for parent, child in edges:
        parents[child].append(steps[parent])
    known = kinds or {}
    nodes = tuple(_met(job, parents[job.id], known.get(job.tool_id, "")) for job in jobs)
    return Picture(title=title, subtitle=subtitle, nodes=nodes)


def _met(job: Job, parents: list[str], kind: str) -> Node:
    tool = job.tool_id.partition("@")[0]
    took = spoken(job.started_at, job.ended_at)
    named = f"{kind} {tool}".lstrip()
    facts = [f"{job.state}{f' in {took}' if took else ''}", named, *asks(job.execution)]
    facts += [f"attempt {job.attempt}"] if job.attempt > 1 else []
    facts += [job.failure.message] if job.failure else []
    return Node(
        key=job.step,
        label=job.step,
        parents=tuple(sorted(parents)),
        kind=kind,
        tool=tool,
        caption=f"{job.state} {took}".rstrip(),
        about=tuple(facts),
        states={job.state: 1},
    )


def asks(execution: Execution) -> list[str]:
    """What a step asks for, where it is not the usual."""
    usual = Execution()
    said = []
    if execution.cpus != usual.cpus:
        said.append(f"{execution.cpus:g} cpus")
    if execution.memory_bytes is not None:
        said.append(f"{size_text(execution.memory_bytes)} memory")
    if execution.gpus:
        said.append(f"{execution.gpus} gpus")
    if execution.timeout_seconds is not None:
        said.append(f"timeout {execution.timeout_seconds:g} s")
    if execution.retries:
        said.append(f"{execution.retries} retries")
    return said


def spoken(start: datetime | None, end: datetime | None) -> str:
    """How long it took: "2.1 s", "3 min"; nothing while it has not ended."""
    if start is None or end is None:
        return ""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2g} s"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def folded(picture: Picture, most: int = MOST_NODES) -> Picture:
    """The same with alike steps as one node, where there are more than `most`."""
    if len(picture.nodes) <= most:
        return picture
    found = classes({node.key: (node.tool, node.kind) for node in picture.nodes}, picture.parents)
    members: dict[int, list[Node]] = {}
    for node in picture.nodes:
        members.setdefault(found[node.key], []).append(node)
    groups = [group for group in members.values() if len(group) >= LEAST_GROUP]
    key_of = {node.key: group[0].key for group in groups for node in group}
    heads = {group[0].key: group for group in groups}
    nodes = []
    for node in picture.nodes:
        group = heads.get(node.key)
        if group is not None:
            nodes.append(_group(group, key_of))
        elif node.key not in key_of:
            nodes.append(_renamed(node, key_of))
    return Picture(title=picture.title, subtitle=picture.subtitle, nodes=tuple(nodes))


def _renamed(node: Node, key_of: Mapping[str, str]) -> Node:
    return Node(
        key=node.key, label=node.label, parents=_parents([node], key_of), kind=node.kind,
        tool=node.tool, caption=node.caption, about=node.about, states=node.states,
    )  # fmt: skip


def _group(members: Sequence[Node], key_of: Mapping[str, str]) -> Node:
    first, last = members[0], members[-1]
    counts: Counter[JobState] = Counter()
    for node in members:
        counts.update(node.states)
    told = ", ".join(f"{counts[state]} {state}" for state in JobState if counts[state])
    ended = sum(counts[state] for state in JOB_ENDS)
    return Node(
        key=first.key,
        label=f"{group_label(first.label)} \u00d7 {len(members)}",
        parents=_parents(members, key_of),
        kind=first.kind,
        tool=first.tool,
        caption=f"{ended} of {len(members)} ended" if counts else first.caption,
        about=(f"{len(members)} steps: {first.label} ... {last.label}", told or first.caption),
        states=counts,
        count=len(members),
    )


def _parents(members: Sequence[Node], key_of: Mapping[str, str]) -> tuple[str, ...]:
    found = {key_of.get(parent, parent) for node in members for parent in node.parents}
    return tuple(sorted(found))


def group_label(step: str) -> str:
    """What to call steps like this: "train" of "train-12"."""
    return re.sub(r"-\d+$", "", step)
