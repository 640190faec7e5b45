"""A picture as a mermaid flowchart, which GitHub, GitLab and many editors draw."""

from treadle.model.looks import LOOKS, mermaid_style
from treadle.model.pictures.labels import shown
from treadle.model.pictures.picture import Node, Picture
from treadle.model.states import JobState

#: kind of tool -> what stands around the label
SHAPES = {
    "script": ("[/", "/]"),
    "notebook": ("[[", "]]"),
    "container": ("[(", ")]"),
    "primitive": ("([", "])"),
}
_SAFE = set(" -_.,:/+*=()[]{}@!?'\u00d7·…")


def flowchart(picture: Picture) -> str:
    """The text of the flowchart."""
    keys = {node.key: f"s{index}" for index, node in enumerate(picture.nodes)}
    lines = ["flowchart LR"]
    lines += [f"    {keys[node.key]}{_box(node)}" for node in picture.nodes]
    lines += [
        f"    {keys[parent]} --> {keys[node.key]}"
        for node in picture.nodes
        for parent in node.parents
    ]
    for state in JobState:
        members = [keys[node.key] for node in picture.nodes if node.state is state]
        if members:
            lines.append(f"    classDef {state} {mermaid_style(LOOKS[state])}")
            lines.append(f"    class {','.join(members)} {state}")
    return "\n".join(lines) + "\n"


def _box(node: Node) -> str:
    before, after = SHAPES.get(node.kind, ("[", "]"))
    state = node.state
    mark = f"{LOOKS[state].glyph} " if state else ""
    return f'{before}"{mark}{escaped(node.label)}"{after}'


def escaped(text: str) -> str:
    """Text for a quoted label: whatever could mean something is a character's number."""
    return "".join(c if c.isalnum() or c in _SAFE else f"#{ord(c)};" for c in shown(text))
