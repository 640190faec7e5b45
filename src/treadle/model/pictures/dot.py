"""A picture in Graphviz's language, for `dot -Tpdf` and the like."""

from collections.abc import Mapping

from treadle.model.looks import LOOKS, PLAIN
from treadle.model.pictures.labels import shown
from treadle.model.pictures.picture import Node, Picture

SHAPES = {"script": "note", "notebook": "tab", "container": "box3d", "primitive": "component"}
HEAD = """\
    rankdir=LR
    node [fontname="Helvetica,Arial,sans-serif" fontsize=11 shape=box style="filled,rounded"]
    edge [color="#8b949e" arrowsize=0.7]
"""


def digraph(picture: Picture) -> str:
    """The text of the digraph."""
    keys = {node.key: f"s{index}" for index, node in enumerate(picture.nodes)}
    lines = [f"digraph {quoted(picture.title)} {{", HEAD.rstrip()]
    lines += [f"    {keys[node.key]} [{_attributes(_look(node))}]" for node in picture.nodes]
    lines += [
        f"    {keys[parent]} -> {keys[node.key]}"
        for node in picture.nodes
        for parent in node.parents
    ]
    return "\n".join([*lines, "}"]) + "\n"


def _look(node: Node) -> dict[str, str]:
    state = node.state
    look = LOOKS[state] if state else PLAIN
    found = {
        "label": shown(f"{look.glyph} {node.label}" if state else node.label),
        "tooltip": "\n".join(node.about),
        "color": look.light,
        "fillcolor": f"{look.light}22",
    }
    if node.kind in SHAPES:
        found |= {"shape": SHAPES[node.kind], "style": "filled"}
    if node.count > 1:
        found["peripheries"] = "2"
    return found


def _attributes(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={quoted(value)}" for name, value in values.items())


def quoted(text: str) -> str:
    """A quoted string that is drawn as it stands; line ends stay."""
    lines = (shown(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n"))
    # Graphviz reads character references in labels; there is no other way to write an ampersand.
    return '"' + "\\n".join(lines).replace("&", "&amp;") + '"'
