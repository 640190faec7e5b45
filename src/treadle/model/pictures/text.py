"""A picture in characters: a row per step, behind lines that tell who waits for whom."""

from dataclasses import dataclass

from treadle.model.looks import LOOKS, PLAIN
from treadle.model.pictures.folding import in_order
from treadle.model.pictures.gutter import Cells, gutter
from treadle.model.pictures.labels import columns, shown
from treadle.model.pictures.picture import Node, Picture

Span = tuple[str, str]  #: (text, style)
MOST_NAME = 40
LEAST_NAME = 12  #: columns a name has in any case, however wide the lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What is drawn on. width: columns."""

    width: int = 100
    ascii: bool = False


def rows(picture: Picture, paper: Paper) -> list[list[Span]]:
    """The rows, each no wider than the paper."""
    order = in_order(picture.parents)
    nodes = {node.key: node for node in picture.nodes}
    names = {key: clipped(_label(nodes[key], paper), MOST_NAME, paper) for key in order}
    most = min(24, max(0, paper.width - LEAST_NAME - 2) // 2)
    lines = gutter(order, picture.parents, most) if most else None
    width = max(map(columns, names.values()), default=0)
    found = []
    for index, key in enumerate(order):
        cells = lines[index] if lines else None
        spans = _row(nodes[key], names[key].ljust(width), cells, paper)
        found.append(fitted(spans, paper))
    return found


def _label(node: Node, paper: Paper) -> str:
    return shown(node.label).replace("\u00d7", "x") if paper.ascii else shown(node.label)


def _row(node: Node, name: str, cells: Cells | None, paper: Paper) -> list[Span]:
    state = node.state
    look = LOOKS[state] if state else PLAIN
    mark = look.ascii if paper.ascii else look.glyph
    style = look.style
    drawn = (cells.plain() if paper.ascii else cells) if cells else Cells()
    spans = [(drawn.left, "dim"), (mark, style), (drawn.right, "dim"), (f" {name}", "")]
    caption = shown(node.caption)
    if paper.ascii:
        caption = caption.replace("·", "-")
    if caption:
        spans.append((f"  {caption}", style if state else "dim"))
    if cells is None and node.parents:
        arrow = "<-" if paper.ascii else "←"
        spans.append((f"  {arrow} {shown(', '.join(node.parents))}", "dim"))
    return spans


def fitted(spans: list[Span], paper: Paper) -> list[Span]:
    """The spans, cut at the paper's edge; no blanks at the end."""
    left, found = paper.width, []
    for text, style in spans:
        part = clipped(text, left, paper) if columns(text) > left else text
        left -= columns(part)
        found.append((part, style))
    while found and not found[-1][0].strip():
        found.pop()
    if found:
        found[-1] = (found[-1][0].rstrip(), found[-1][1])
    return found


def clipped(text: str, most: int, paper: Paper) -> str:
    """The beginning of a text that is too wide, with a mark that something is missing."""
    if columns(text) <= most:
        return text
    mark = "~" if paper.ascii else "…"
    kept, width = "", 1
    for character in text:
        width += columns(character)
        if width > most:
            break
        kept += character
    return kept + mark if most > 0 else ""
