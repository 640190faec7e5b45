"""How each state looks, everywhere: on the terminal, in pictures and in the documentation."""

from dataclasses import dataclass

from treadle.model.states import JobState


@dataclass(frozen=True, slots=True)
class Look:
    """glyph, the same in ASCII; style: on a terminal; light, dark: a colour on either ground."""

    glyph: str
    ascii: str
    style: str
    light: str
    dark: str


LOOKS = {
    JobState.WAITING: Look("○", ".", "dim", "#59636e", "#9198a1"),
    JobState.QUEUED: Look("◌", ".", "dim", "#59636e", "#9198a1"),
    JobState.PREPARING: Look("◔", "*", "cyan", "#1b7c83", "#39c5cf"),
    JobState.RUNNING: Look("●", "*", "cyan", "#0969da", "#4493f8"),
    JobState.ABORTING: Look("◍", "!", "yellow", "#9a6700", "#d29922"),
    JobState.COMPLETED: Look("✓", "+", "green", "#1a7f37", "#3fb950"),
    JobState.FAILED: Look("✗", "x", "bold red", "#cf222e", "#f85149"),
    JobState.ABORTED: Look("⊘", "!", "yellow", "#9a6700", "#d29922"),
    JobState.SKIPPED: Look("-", "-", "dim", "#59636e", "#9198a1"),
    JobState.REUSED: Look("≡", "=", "green", "#1a7f37", "#3fb950"),
}
PLAIN = Look("○", "o", "", "#4b5563", "#a5adb8")  #: of a step that is only defined
_PALE = "22"  #: alpha of a filling in the colour of its edge


def mermaid_style(look: Look) -> str:
    """The look as a mermaid style; it has to do on both grounds."""
    return f"fill:{look.light}{_PALE},stroke:{look.light},stroke-width:1.5px"


def mermaid_classes(names: set[str]) -> list[str]:
    """Lines for a state diagram: a class for each state among the names, and who is of it."""
    found = [state for state in JobState if state.value in names]
    lines = [f"    classDef {state} {mermaid_style(LOOKS[state])}" for state in found]
    return lines + [f"    class {state} {state}" for state in found]
