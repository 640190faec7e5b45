"""Where the vertices of a layer stand: as near to their neighbours as order and size allow."""

import itertools
from collections.abc import Callable, Sequence

from treadle.model.pictures.layers import Layered, Vertex, neighbours

SWEEPS = 16
STRAIGHT, HALF_STRAIGHT = 40.0, 4.0  #: how much more a line on its way wants to go on straight


def placed(drawing: Layered, size_of: Callable[[Vertex], float], gap: float) -> dict[Vertex, float]:
    """Vertex -> its middle across the layers; the smallest edge lies at 0."""
    above, below = neighbours(drawing.links)
    middles: dict[Vertex, float] = {}
    apart: list[list[float]] = []
    for layer in drawing.layers:
        sizes = [size_of(vertex) for vertex in layer]
        apart.append([0.0, *((a + b) / 2 + gap for a, b in itertools.pairwise(sizes))])
        start = settled([0.0] * len(layer), [1.0] * len(layer), apart[-1])
        middles |= dict(zip(layer, start, strict=True))
    for sweep in range(SWEEPS):
        down, last = sweep % 2 == 0, sweep >= SWEEPS - 2
        sides = (above, below) if last else (above,) if down else (below,)
        indices = range(len(drawing.layers))
        for index in indices if down else reversed(indices):
            layer = drawing.layers[index]
            wanted = [_wanted(vertex, sides, middles, drawing) for vertex in layer]
            found = settled([w for w, _ in wanted], [h for _, h in wanted], apart[index])
            middles |= dict(zip(layer, found, strict=True))
    least = min((middle - size_of(vertex) / 2 for vertex, middle in middles.items()), default=0.0)
    return {vertex: middle - least for vertex, middle in middles.items()}


def _wanted(
    vertex: Vertex,
    sides: Sequence[dict[Vertex, list[Vertex]]],
    middles: dict[Vertex, float],
    drawing: Layered,
) -> tuple[float, float]:
    """(the mean middle of its neighbours, how much it wants to be there)."""
    total = weight = 0.0
    passing = not drawing.is_node(vertex)
    for side in sides:
        for other in side.get(vertex, ()):
            ways = passing + (not drawing.is_node(other))
            pull = (1.0, HALF_STRAIGHT, STRAIGHT)[ways]
            total += pull * middles[other]
            weight += pull
    return (total / weight, weight) if weight else (middles[vertex], 0.01)


def settled(
    wanted: Sequence[float], weights: Sequence[float], apart: Sequence[float]
) -> list[float]:
    """The places nearest to the wanted ones (least squares) that keep order and distances.

    apart[i]: the least distance from i - 1 to i. By pooling adjacent violators.
    """
    offset, offsets = 0.0, []
    blocks: list[tuple[float, float, int]] = []  # (mean, weight, how many)
    for want, weight, least in zip(wanted, weights, apart, strict=True):
        offset += least
        offsets.append(offset)
        block = (want - offset, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, heavy, count = blocks.pop()
            both = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / both, both, count + block[2])
        blocks.append(block)
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
