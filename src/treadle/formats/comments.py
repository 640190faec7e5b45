"""Comments in what ruamel read: those behind the last value of a part belong to what follows.

ruamel keeps "# of the value" and the lines up to the next key in one token, at the value. Where
the value goes, or stops being the last, these lines have to be handed on.
"""

from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken


def take_lines_after(parent: Any, key: Any) -> str:
    """Cut off, and return, the lines between the value and what follows it."""
    holder, last = _last_inside(parent, key)
    found = _token(holder, last)
    if found is None:
        return ""
    own, newline, rest = found.value.partition("\n")
    inside, rest = _split(rest, deeper_than=parent.lc.col or 0)
    if not rest.strip(" "):
        return ""
    found.value = own + newline + inside
    if not own and not inside:
        del holder.ca.items[last]
    return rest


def _split(lines: str, *, deeper_than: int) -> tuple[str, str]:
    """(lines that are indented as what they stand in, the rest)."""
    inside = 0
    every = lines.splitlines(keepends=True)
    for number, line in enumerate(every, 1):
        text = line.lstrip(" ")
        if text.startswith("#"):
            if len(line) - len(text) <= deeper_than:
                break
            inside = number
    return "".join(every[:inside]), "".join(every[inside:])


def put_lines_after(parent: Any, key: Any, lines: str) -> None:
    """Let the lines stand between the value and what follows it."""
    if not lines:
        return
    holder, last = _last_inside(parent, key)
    found = _token(holder, last)
    if found is not None:
        found.value = found.value.rstrip("\n") + "\n" + lines
        return
    token = CommentToken("\n" + lines, CommentMark(0), None)
    slots = holder.ca.items.setdefault(last, [None, None, None, None])
    slots[_slot(holder)] = token


def last_key(found: Any) -> Any:
    """The key written last; None if there is none."""
    if isinstance(found, CommentedSeq):
        return len(found) - 1 if found else None
    own = [key for key, _ in found.non_merged_items()] if getattr(found, "merge", None) else found
    return next(reversed(list(own)), None)


def _last_inside(parent: Any, key: Any) -> tuple[Any, Any]:
    """(holder, key) of the scalar or one-line value that ends the value."""
    while True:
        value = parent[key]
        if not isinstance(value, CommentedMap | CommentedSeq) or value.fa.flow_style():
            return parent, key
        last = last_key(value)
        if last is None:
            return parent, key
        parent, key = value, last


def _token(holder: Any, key: Any) -> Any:
    slots = holder.ca.items.get(key)
    index = _slot(holder)
    return slots[index] if slots and len(slots) > index else None


def _slot(holder: Any) -> int:
    """Where ruamel keeps what stands behind a value."""
    return 0 if isinstance(holder, CommentedSeq) else 2
