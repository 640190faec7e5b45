"""The lines before a list of steps that tell who waits for whom, as `git log --graph` has them.

    ✓      load          A step's mark stands on a line of its own. The line below it leads to
    ├─✓─╮  train         those that wait for it. Steps that the same others wait for share one
    ├─●─┤  train-2       line, which begins at the right of the first of them.
    ╰─○─┤  train-3
    ○───╯  best

Lines that only cross are drawn with a gap: `─│─`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from treadle.model.graph import Parents
from treadle.model.pictures.folding import children_of

MOST_LINES = 12  #: beside each other; more tell nothing any more

#: (up, down, left, right) -> the character
_JOINTS = {
    (1, 1, 0, 1): "├", (1, 1, 1, 0): "┤", (1, 1, 1, 1): "┼", (1, 0, 0, 1): "╰", (1, 0, 1, 0): "╯",
    (1, 0, 1, 1): "┴", (0, 1, 1, 0): "╮", (0, 1, 0, 1): "╭", (0, 1, 1, 1): "┬",
}  # fmt: skip
_ASCII = str.maketrans("│─├┤┼╰╯┴╮╭┬", "|-+++++++++")


@dataclass(frozen=True, slots=True)
class Cells:
    """What stands before a row: left of its mark and right of it."""

    left: str = ""
    right: str = ""

    def plain(self) -> "Cells":
        """The same in ASCII."""
        return Cells(self.left.translate(_ASCII), self.right.translate(_ASCII))


@dataclass(slots=True)
class _Line:
    """A line on its way down, to those of `left` that have not come yet."""

    name: object
    left: set[str]
    alone: bool  #: from one step to one other


@dataclass(slots=True)
class _Gutter:
    """The lines as they stand after the last row."""

    most: int
    lines: list[_Line | None] = field(default_factory=list)
    last_mark: int = -1

    def free(self, after: int = -1, but: Iterable[int] = ()) -> int:
        """The first column without a line."""
        taken = set(but)
        for column in range(after + 1, len(self.lines)):
            if self.lines[column] is None and column not in taken:
                return column
        return max(len(self.lines), after + 1, *(column + 1 for column in taken), 0)

    def put(self, column: int, line: _Line) -> None:
        self.lines += [None] * (column + 1 - len(self.lines))
        self.lines[column] = line

    def find(self, name: object) -> int | None:
        for column, line in enumerate(self.lines):
            if line is not None and line.name == name:
                return column
        return None


def gutter(order: Sequence[str], parents: Parents, most: int = MOST_LINES) -> list[Cells] | None:
    """What stands before each step of the order (parents first); None: too wide to be of use."""
    children = {name: frozenset(below) for name, below in children_of(parents).items()}
    sharing = Counter(children.values())
    state, drawn = _Gutter(most=most), []
    for step in order:
        below = children[step]
        drawn.append(_row(state, step, below, shared=sharing[below] > 1))
        if len(state.lines) > most:
            return None
    width = max((len(cells.left) + len(cells.right) for cells in drawn), default=0)
    return [Cells(c.left, c.right.ljust(width - len(c.left))) for c in drawn]


def _row(state: _Gutter, step: str, below: frozenset[str], *, shared: bool) -> Cells:
    lines = state.lines
    inputs = [column for column, line in enumerate(lines) if line is not None and step in line.left]
    for column in inputs:
        line = lines[column]
        assert line is not None
        line.left.discard(step)
    before = [line is not None for line in lines]
    mark = _place_of_mark(state, inputs)
    for column in inputs:
        line = lines[column]
        if line is not None and not line.left:
            lines[column] = None
    out = _lead_on(state, step, below, mark, inputs) if below and shared else None
    if below and not shared:
        state.put(mark, _Line(step, set(below), alone=len(below) == 1))
    while lines and lines[-1] is None:
        lines.pop()
    state.last_mark = mark
    joined = {*inputs, *([] if out is None else [out])}
    return _cells(before, [line is not None for line in lines], mark, joined)


def _place_of_mark(state: _Gutter, inputs: Sequence[int]) -> int:
    """Below the only one that it waits for, if nobody else does; else in the first free column.

    What hangs on no line at its left never stands just below a mark, as if it belonged to it.
    """
    line = state.lines[inputs[0]] if len(inputs) == 1 else None
    if line is not None and line.alone:
        return inputs[0]
    column = state.free()
    hangs = any(each < column for each in inputs)
    return column if hangs or column != state.last_mark else state.free(but=[column])


def _lead_on(
    state: _Gutter, step: str, below: frozenset[str], mark: int, inputs: Sequence[int]
) -> int:
    """The column of the line that it shares with others."""
    column = state.find(below)
    if column is None:
        column = state.free(after=mark, but=inputs)
        state.put(column, _Line(below, set(below), alone=False))
    return column


def _cells(before: list[bool], after: list[bool], mark: int, joined: set[int]) -> Cells:
    width = max(len(before), len(after), mark + 1)
    before = before + [False] * (width - len(before))
    after = after + [False] * (width - len(after))
    first, last = min({mark, *joined}), max({mark, *joined})
    text = []
    for column in range(width):
        inside = first <= column <= last
        if column in joined and column != mark:
            sides = (before[column], after[column], column > first, column < last)
            text.append(_JOINTS[sides])
        elif before[column] and after[column]:
            text.append("│")
        else:
            text.append("─" if inside else " ")
        text.append("─" if first <= column < last else " ")
    whole = "".join(text)
    return Cells(whole[: 2 * mark], whole[2 * mark + 1 :].rstrip())
