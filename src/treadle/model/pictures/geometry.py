"""Boxes and lines of a picture, in pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

from treadle.model.pictures.labels import ems, shown
from treadle.model.pictures.layers import Layered, Vertex, layered
from treadle.model.pictures.picture import Node, Picture
from treadle.model.pictures.places import placed

FONT, SMALL = 13.0, 11.0  #: sizes of the label and what stands below it
MOST_WIDTH, LEAST_WIDTH = 250.0, 84.0  #: of a box
GAP = 16.0  #: between boxes beside each other
LINE = 6.0  #: what a line on its way takes
NARROW, WIDE = 40.0, 150.0  #: between layers
PAGE = (1100.0, 800.0)  #: what a reader sees at once, about

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A node's place and size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """lines: points that each line goes through; tips: where those end that end at a node."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    lines: list[list[Point]]
    tips: list[Point]
    is_down: bool  #: layers follow each other downwards, not to the right

    @property
    def overshoot(self) -> float:
        """How many pages it takes."""
        return max(self.width / PAGE[0], self.height / PAGE[1])


def planned(picture: Picture) -> Plan:
    """To the right or downwards, whichever is nearer to a page."""
    drawing = layered(picture.parents)
    nodes = {node.key: node for node in picture.nodes}
    plans = [_plan(drawing, nodes, is_down=is_down) for is_down in (False, True)]
    return min(plans, key=lambda plan: max(plan.overshoot, 1.0))


def _size(node: Node) -> tuple[float, float]:
    mark = 18.0 if node.states else 0.0
    text = max(ems(shown(node.label)) * FONT, ems(shown(node.caption)) * SMALL)
    bar = 9.0 if node.count > 1 and node.states else 0.0
    width = min(MOST_WIDTH, max(LEAST_WIDTH, text + mark + 26))
    return width, (48.0 if node.caption else 33.0) + bar


def _plan(drawing: Layered, nodes: Mapping[str, Node], *, is_down: bool) -> Plan:
    sizes = {key: _size(node) for key, node in nodes.items()}
    along, across = (1, 0) if is_down else (0, 1)

    def width_of(vertex: Vertex) -> float:
        return sizes[vertex[0]][across] if drawing.is_node(vertex) else LINE

    middles = placed(drawing, width_of, GAP)
    starts, thick = _layers(drawing, sizes, middles, along)
    boxes = {}
    for key, layer in drawing.depth.items():
        size = (thick[layer], sizes[key][1]) if not is_down else (sizes[key][0], thick[layer])
        corner = (starts[layer], middles[key, layer] - sizes[key][across] / 2)
        boxes[key] = Box(*(corner[::-1] if is_down else corner), *size)
    ends = {vertex: starts[vertex[1]] + thick[vertex[1]] for vertex in middles}
    lines, tips = _lines(drawing, middles, starts, ends)
    if is_down:
        lines = [[point[::-1] for point in line] for line in lines]
        tips = [tip[::-1] for tip in tips]
    return Plan(
        width=max((box.x + box.width for box in boxes.values()), default=0.0),
        height=max((box.y + box.height for box in boxes.values()), default=0.0),
        boxes=boxes,
        lines=lines,
        tips=tips,
        is_down=is_down,
    )


def _layers(
    drawing: Layered,
    sizes: Mapping[str, tuple[float, float]],
    middles: Mapping[Vertex, float],
    along: int,
) -> tuple[list[float], list[float]]:
    """Where each layer begins, and how thick it is: wider apart where lines go far across."""
    far = [0.0] * (len(drawing.layers) + 1)
    for upper, lower in drawing.links:
        far[lower[1]] = max(far[lower[1]], abs(middles[upper] - middles[lower]))
    thick = [
        max((sizes[key][along] for key, own in layer if drawing.depth[key] == own), default=0.0)
        for layer in drawing.layers
    ]
    starts, at = [], 0.0
    for layer, size in enumerate(thick):
        at += min(WIDE, max(NARROW, far[layer] / 6)) if layer else 0.0
        starts.append(at)
        at += size
    return starts, thick


def _lines(
    drawing: Layered,
    middles: Mapping[Vertex, float],
    starts: list[float],
    ends: Mapping[Vertex, float],
) -> tuple[list[list[Point]], list[Point]]:
    lines, tips = [], []
    for upper, lower in [*drawing.links, *drawing.straight]:
        points = [(ends[upper], middles[upper]), (starts[lower[1]], middles[lower])]
        if drawing.is_node(lower):
            tips.append(points[1])
            points[1:] = [(points[1][0] - 5, points[1][1]), points[1]]
        else:
            points.append((ends[lower], middles[lower]))
        lines.append(points)
    return lines, tips
