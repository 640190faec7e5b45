"""The shape of a run's DAG, made once when it is first drawn: order, lines, groups of alike steps.

Pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from treadle.model.graph import Parents
from treadle.model.pictures.folding import classes, in_order
from treadle.model.pictures.gutter import Cells, gutter
from treadle.model.pictures.picture import group_label
from treadle.model.states import JobState

__all__ = ["NO_LINES", "Group", "Lines", "groups_of", "in_order", "lines_of"]


@dataclass(slots=True, kw_only=True)
class Group:
    """Alike steps, told on one row. members: job ids."""

    label: str
    members: list[str]
    counts: Counter[JobState] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Lines:
    """What stands before each row, by its key."""

    cells: Mapping[str, Cells]
    width: int


NO_LINES = Lines({}, 0)


def lines_of(order: Sequence[str], parents: Parents) -> Lines:
    """The lines before the rows; none where they would be too wide."""
    drawn = gutter(order, parents)
    if not drawn:
        return NO_LINES
    width = max(len(cells.left) + 1 + len(cells.right) for cells in drawn)
    return Lines(dict(zip(order, drawn, strict=True)), width)


def groups_of(
    steps: Mapping[str, str], tools: Mapping[str, str], parents: Parents
) -> tuple[list[Group], Lines]:
    """Alike steps, in order, and the lines between them. steps, tools: by job id."""
    found = classes(tools, parents)
    groups: dict[int, Group] = {}
    above: dict[int, set[int]] = {}
    for job_id, step in steps.items():
        number = found[job_id]
        group = groups.setdefault(number, Group(label=step, members=[]))
        group.members.append(job_id)
        above.setdefault(number, set()).update(found[parent] for parent in parents[job_id])
    for group in groups.values():
        if len(group.members) > 1:
            group.label = group_label(group.label)
    between = {str(n): frozenset(map(str, above[n])) for n in groups}
    order = in_order(between)
    drawn = lines_of(order, between)
    keyed = {groups[int(n)].members[0]: cells for n, cells in drawn.cells.items()}
    return [groups[int(n)] for n in order], Lines(keyed, drawn.width)
