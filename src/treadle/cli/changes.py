"""What differs between two trees of code: file by file, line by line."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from treadle.cli import printing
from treadle.cli.sources import Link, Tree

Kind = Literal["added", "removed", "changed"]
LARGEST_BYTES = 1_000_000  #: of a file that is compared line by line


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file. lines: a unified diff without its head; None if it is no text, or too large."""

    path: str
    kind: Kind
    note: str = ""  #: what else there is to say
    lines: tuple[str, ...] | None = None

    @property
    def added(self) -> int:
        return sum(line.startswith("+") for line in self.lines or ())

    @property
    def removed(self) -> int:
        return sum(line.startswith("-") for line in self.lines or ())


def changes(before: Tree, after: Tree) -> Iterator[Change]:
    """What is not the same, by path."""
    paths = {*before.files, *before.links, *after.files, *after.links}
    for path in sorted(paths):
        was, now = (tree.files.get(path) or tree.links.get(path) for tree in (before, after))
        if was != now:
            yield _change(path, before, after)


def _change(path: str, before: Tree, after: Tree) -> Change:
    kinds: dict[tuple[bool, bool], Kind] = {(False, True): "added", (True, False): "removed"}
    kind = kinds.get((_has(before, path), _has(after, path)), "changed")
    if path in before.links or path in after.links:
        return Change(path=path, kind=kind, note=_linked(before, after, path))
    was, now = before.files.get(path), after.files.get(path)
    if was and now and was[0] == now[0]:
        note = "may be executed now" if now[2] & 0o100 else "may not be executed any more"
        return Change(path=path, kind=kind, note=note, lines=())
    if max(entry[1] for entry in (was, now) if entry) > LARGEST_BYTES:
        return Change(path=path, kind=kind, note=_sizes("large", was, now))
    one, other = _text(before, path), _text(after, path)
    if one is None or other is None:
        return Change(path=path, kind=kind, note=_sizes("no text", was, now))
    diff = difflib.unified_diff(one, other, lineterm="")
    return Change(path=path, kind=kind, lines=tuple(diff)[2:])


def _has(tree: Tree, path: str) -> bool:
    return path in tree.files or path in tree.links


def _text(tree: Tree, path: str) -> list[str] | None:
    """The lines of a text; [] where there is no file, None where it is no text."""
    if path not in tree.files:
        return []
    data = tree.content(path)
    if data is None or b"\0" in data:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    if lines[-1]:
        return [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]
    return lines[:-1]


def _sizes(what: str, was: Any, now: Any) -> str:
    sizes = [printing.size(entry[1]) if entry else "nothing" for entry in (was, now)]
    return f"{what}, {sizes[0]} -> {sizes[1]}"


def _linked(before: Tree, after: Tree, path: str) -> str:
    told = []
    for tree in (before, after):
        link, file = tree.links.get(path), tree.files.get(path)
        told.append(_of_link(link) if link else printing.size(file[1]) if file else "nothing")
    return f"linked data, {told[0]} -> {told[1]}"


def _of_link(link: Link) -> str:
    return f"{printing.size(link[1])} of {printing.moment(link[2] / 1e9)}"


def parameters(before: Tree, after: Tree) -> dict[str, tuple[Any, Any]]:
    """Name -> (value before, value after) of the parameters that differ; a missing one is None."""
    if before.parameters is None or after.parameters is None:
        return {}
    one: Mapping[str, Any] = before.parameters
    other: Mapping[str, Any] = after.parameters
    names = dict.fromkeys([*one, *other])
    return {n: (one.get(n), other.get(n)) for n in names if one.get(n) != other.get(n)}
