"""A layered drawing's topology: each node on a layer, long lines led through the layers between.

Layers by the longest way (Sugiyama et al., 1981), order by barycentres, the best of a few sweeps.
"""

import bisect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treadle.model.graph import Parents
from treadle.model.pictures.folding import children_of, depths

SWEEPS = 12
MOST_BENDS = 20_000  #: vertices that only lead lines through; beyond, long lines go straight
MOST_COUNTED = 20_000  #: links of which crossings are counted

#: A node on its own layer, or on a later one the line of its output, which all who wait share.
Vertex = tuple[str, int]
Link = tuple[Vertex, Vertex]


@dataclass(frozen=True, slots=True)
class Layered:
    """layers: vertices in order; links: of neighbouring layers; straight: longer lines, not led."""

    layers: list[list[Vertex]]
    links: list[Link]
    straight: list[Link]
    depth: Mapping[str, int]

    def is_node(self, vertex: Vertex) -> bool:
        """Not only a line on its way."""
        return self.depth[vertex[0]] == vertex[1]


def layered(parents: Parents) -> Layered:
    """The layers of a DAG."""
    depth = _late(depths(parents), parents)
    count = max(depth.values(), default=-1) + 1
    layers: list[list[Vertex]] = [[] for _ in range(count)]
    for name in parents:
        layers[depth[name]].append((name, depth[name]))
    links, straight = _lead(depth, parents, layers)
    return Layered(_ordered(layers, links), links, straight, depth)


def _late(depth: dict[str, int], parents: Parents) -> dict[str, int]:
    """Nodes that wait for none move to just before those that wait for them."""
    for name, below in children_of(parents).items():
        if below and not parents[name]:
            depth[name] = min(depth[child] for child in below) - 1
    return depth


def _lead(
    depth: Mapping[str, int], parents: Parents, layers: list[list[Vertex]]
) -> tuple[list[Link], list[Link]]:
    children = children_of(parents)
    last = {name: max((depth[c] for c in below), default=0) for name, below in children.items()}
    bends = sum(max(0, end - depth[name] - 1) for name, end in last.items())
    lead = bends <= MOST_BENDS
    links: list[Link] = []
    straight: list[Link] = []
    for name, below in children.items():
        for layer in range(depth[name] + 1, last[name] if lead else 0):
            layers[layer].append((name, layer))
            links.append(((name, layer - 1), (name, layer)))
        for child in below:
            end = (child, depth[child])
            if lead or end[1] == depth[name] + 1:
                links.append(((name, end[1] - 1), end))
            else:
                straight.append(((name, depth[name]), end))
    return links, straight


def neighbours(links: Sequence[Link]) -> tuple[dict[Vertex, list[Vertex]], ...]:
    """(vertex -> those above it, vertex -> those below it)."""
    above: dict[Vertex, list[Vertex]] = {}
    below: dict[Vertex, list[Vertex]] = {}
    for upper, lower in links:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    return above, below


def _ordered(layers: list[list[Vertex]], links: list[Link]) -> list[list[Vertex]]:
    above, below = neighbours(links)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, below)
    counted = len(links) <= MOST_COUNTED
    for sweep in range(SWEEPS if counted else 2):
        if not fewest:
            break
        down = sweep % 2 == 0
        beside = above if down else below
        walk = layers if down else layers[::-1]
        for fixed, moved in itertools.pairwise(walk):
            _sort(moved, fixed, beside)
        crossed = _crossings(layers, below) if counted else fewest
        if crossed < fewest or not counted:
            best, fewest = [list(layer) for layer in layers], crossed
    return best


def _sort(
    moved: list[Vertex], fixed: list[Vertex], beside: Mapping[Vertex, Sequence[Vertex]]
) -> None:
    """By the mean place of what each is linked to; what is linked to nothing stays in its place."""
    place = {vertex: index for index, vertex in enumerate(fixed)}
    wanted: dict[Vertex, float] = {}
    for index, vertex in enumerate(moved):
        linked = [place[other] for other in beside.get(vertex, ())]
        wanted[vertex] = sum(linked) / len(linked) if linked else index
    moved.sort(key=wanted.__getitem__)


def _crossings(layers: Sequence[Sequence[Vertex]], below: Mapping[Vertex, list[Vertex]]) -> int:
    """How many pairs of links cross."""
    count = 0
    for upper, lower in itertools.pairwise(layers):
        place = {vertex: index for index, vertex in enumerate(lower)}
        seen: list[int] = []
        for vertex in upper:
            ends = sorted(place[other] for other in below.get(vertex, ()))
            count += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
            for end in ends:
                bisect.insort(seen, end)
    return count
