"""A picture as a stand-alone SVG, light or dark as its reader likes."""

import itertools
from collections.abc import Iterable, Sequence
from html import escape

from treadle.model.looks import LOOKS, PLAIN, Look
from treadle.model.pictures.geometry import FONT, SMALL, Box, Plan, Point, planned
from treadle.model.pictures.labels import cut, ems, shown
from treadle.model.pictures.picture import Node, Picture
from treadle.model.states import JobState

MARGIN = 24.0
HEAD = 52.0  #: of the title, and the line below it
LEGEND_GAP = 34.0
BAR = 4.0
LEAST_WIDTH = 240.0

_STYLE = f"""\
svg {{ color-scheme: light dark; --ground: #ffffff; --card: #f6f8fa; --ink: #1f2328;
  --soft: #59636e; --line: #9aa4af; --c: {PLAIN.light}; }}
text {{ font: {FONT:g}px ui-sans-serif, system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
  fill: var(--ink); }}
.ground {{ fill: var(--ground); }}
.title {{ font-size: 16px; font-weight: 600; }}
.small {{ font-size: {SMALL:g}px; fill: var(--soft); }}
.line {{ fill: none; stroke: var(--line); stroke-width: 1.4; }}
.head {{ fill: var(--line); }}
.card {{ fill: var(--card); stroke: var(--c); stroke-width: 1.4; }}
.tint {{ fill: var(--c); fill-opacity: .13; }}
.waits {{ stroke-dasharray: 4 3; }}
.mark {{ fill: var(--c); font-weight: 600; }}
.bar {{ fill: var(--c); }}
"""
_WAITS = {JobState.WAITING, JobState.QUEUED, JobState.SKIPPED}


def svg(picture: Picture) -> str:
    """The document."""
    plan = planned(picture)
    legend = _legend(picture)
    head = [shown(picture.title), shown(picture.subtitle)]
    width = max(plan.width, LEAST_WIDTH, ems(head[0]) * 16.5, ems(head[1]) * SMALL, legend[1])
    total = (width + 2 * MARGIN, HEAD + plan.height + 2 * MARGIN + (LEGEND_GAP if legend[0] else 0))
    shift = (width - plan.width) / 2
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(total[0])} {_n(total[1])}" '
            f'width="{_n(total[0])}" height="{_n(total[1])}" role="img">'
        ),
        f"<title>{escape(head[0])}</title>",
        f"<style>{_STYLE}{_states(picture)}</style>",
        f'<rect class="ground" width="{_n(total[0])}" height="{_n(total[1])}"/>',
        _text(MARGIN, MARGIN + 16, head[0], "title"),
        _text(MARGIN, MARGIN + 35, head[1], "small"),
        f'<g transform="translate({_n(MARGIN + shift)} {_n(MARGIN + HEAD)})">',
        *_lines(plan),
        *(_node(node, plan.boxes[node.key]) for node in picture.nodes),
        "</g>",
    ]
    if legend[0]:
        at = MARGIN + HEAD + plan.height + LEGEND_GAP
        parts.append(f'<g transform="translate({_n(MARGIN)} {_n(at)})">{legend[0]}</g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _states(picture: Picture) -> str:
    """The colours of the states that occur, on both grounds."""
    found = [(state, LOOKS[state]) for state in JobState if picture.counts()[state]]
    light = [f".{state} {{ --c: {look.light}; }}" for state, look in found]
    dark = [f".{state} {{ --c: {look.dark}; }}" for state, look in found]
    ground = (
        "svg { --ground: #0d1117; --card: #161b22; --ink: #e6edf3; --soft: #9198a1; "
        f"--line: #6e7681; --c: {PLAIN.dark}; }}"
    )
    return "\n".join([*light, "@media (prefers-color-scheme: dark) {", ground, *dark, "}", ""])


def _legend(picture: Picture) -> tuple[str, float]:
    """(what each colour means and how many there are, how wide that is)."""
    parts, x = [], 0.0
    for state, count in ((s, c) for s in JobState if (c := picture.counts()[s])):
        text = f"{count} {state}"
        parts.append(
            f'<g class="{state}">{_text(x, 0, LOOKS[state].glyph, "mark")}</g>'
            + _text(x + 17, 0, text, "small")
        )
        x += 17 + ems(text) * SMALL + 16
    return "".join(parts), x


def _lines(plan: Plan) -> Iterable[str]:
    for points in plan.lines:
        yield f'<path class="line" d="{_curve(points, plan.is_down)}"/>'
    for tip in plan.tips:
        yield f'<path class="head" d="{_arrow(tip, plan.is_down)}"/>'


def _curve(points: Sequence[Point], is_down: bool) -> str:
    """Through all points, straight along the layers' way at each."""
    text = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if (x0 == x1) if is_down else (y0 == y1):
            text += f"L{_n(x1)} {_n(y1)}"
            continue
        a, b = ((x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2))
        if not is_down:
            a, b = (((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1))
        text += f"C{_n(a[0])} {_n(a[1])} {_n(b[0])} {_n(b[1])} {_n(x1)} {_n(y1)}"
    return text


def _arrow(tip: Point, is_down: bool) -> str:
    x, y = tip
    if is_down:
        return f"M{_n(x)} {_n(y)}l-3.5 -7h7z"
    return f"M{_n(x)} {_n(y)}l-7 -3.5v7z"


def _node(node: Node, box: Box) -> str:
    state = node.state
    look = LOOKS[state] if state else PLAIN
    parts = [f'<g class="{state or "plain"}">']
    if node.about:
        parts.append(f"<title>{escape(chr(10).join(map(shown, node.about)))}</title>")
    if node.count > 1:
        parts += [_rect(box, node, "card", 6), _rect(box, node, "card", 3)]
    waits = " waits" if state in _WAITS else ""
    parts += [_rect(box, node, f"card{waits}")]
    if state:
        parts.append(_rect(box, node, "tint"))
    parts += _words(node, box, look, has_mark=state is not None)
    if node.count > 1 and node.states:
        parts.append(_bar(node, box))
    return "".join([*parts, "</g>"])


def _words(node: Node, box: Box, look: Look, *, has_mark: bool) -> list[str]:
    left = box.x + 12
    room = box.width - 24
    parts = []
    if has_mark:
        parts.append(_text(left, box.y + 21, look.glyph, "mark"))
        left, room = left + 18, room - 18
    parts.append(_text(left, box.y + 20.5, cut(shown(node.label), room / FONT + 0.01), ""))
    if node.caption:
        said = cut(shown(node.caption), room / SMALL + 0.01)
        parts.append(_text(left, box.y + 37, said, "small"))
    return parts


def _rect(box: Box, node: Node, kind: str, shift: float = 0) -> str:
    x, y, w, h = box.x + shift, box.y - shift, box.width, box.height
    if node.kind == "script" and not shift:  # a sheet with a corner folded
        d = f"M{_n(x)} {_n(y + 3)}q0 -3 3 -3H{_n(x + w - 10)}l10 10V{_n(y + h - 3)}q0 3 -3 3"
        return f'<path class="{kind}" d="{d}H{_n(x + 3)}q-3 0 -3 -3z"/>'
    radius = {"script": 3, "notebook": 3, "container": 1, "primitive": h / 2}.get(node.kind, 8)
    return (
        f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" '
        f'rx="{_n(radius)}"/>'
    )


def _bar(node: Node, box: Box) -> str:
    """How many of a group's steps are in which state."""
    total, x = sum(node.states.values()), box.x + 12
    room, parts = box.width - 24, []
    for state, count in ((s, c) for s in JobState if (c := node.states.get(s))):
        width = room * count / total
        parts.append(
            f'<rect class="{state} bar" x="{_n(x)}" y="{_n(box.y + box.height - BAR - 5)}" '
            f'width="{_n(width)}" height="{_n(BAR)}"/>'
        )
        x += width
    return "".join(parts)


def _text(x: float, y: float, text: str, kind: str) -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{_n(x)}" y="{_n(y)}">{escape(text)}</text>' if text else ""


def _n(value: float) -> str:
    """A number with no more digits than can be seen."""
    return f"{value:.1f}".removesuffix(".0")
