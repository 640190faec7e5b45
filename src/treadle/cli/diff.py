"""`treadle diff`: what changed between the code of two runs, or since one."""

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from treadle.cli import printing
from treadle.cli.options import Json, RunId
from treadle.cli.where import Where
from treadle.model.records import Source

if TYPE_CHECKING:
    from treadle.cli.changes import Change
    from treadle.cli.sources import Tree

Line = tuple[str, str]  #: (text, style)
_MARKS = {"added": ("A", "green"), "removed": ("D", "red"), "changed": ("M", "")}
_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff(
    where: Where,
    run_id: RunId,
    other_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="A second run.", show_default="the project as it is now"
        ),
    ] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Only name the files that changed.")] = False,
    as_json: Json = False,
) -> None:
    """Show what changed between the code of two runs, or in the project since a run."""
    # Bundling needs blake3 and msgspec, which other commands do without.
    from treadle.cli import changes, sources  # noqa: PLC0415

    with where.opened(start=False) as door:
        run = door.find(run_id)
        before = sources.tree_of_run(door, run)
        if other_id is None:
            after = sources.tree_now(run)
        else:
            after = sources.tree_of_run(door, door.find(other_id))
        found = list(changes.changes(before, after))
    differing = changes.parameters(before, after)
    if as_json:
        printing.say_json(_document(before, after, differing, found))
    else:
        _show([*_head(before, after, differing), *_told(found, stat=stat)])


def _head(before: "Tree", after: "Tree", differing: dict[str, tuple[Any, Any]]) -> Iterator[Line]:
    yield f"from {before.name}{_of_git(before.source)}", "bold"
    yield f"to   {after.name}{_of_git(after.source)}", "bold"
    for name, (was, now) in differing.items():
        yield f"parameter {name}: {printing.compact(was)} -> {printing.compact(now)}", "yellow"
    if before.source.root != after.source.root:
        yield f"project: {before.source.root} -> {after.source.root}", "yellow"


def _of_git(source: Source) -> str:
    if not source.commit:
        return ""
    branch = f" on {source.branch}" if source.branch else ""
    return f"  commit {source.commit[:10]}{branch}{', with changes' if source.dirty else ''}"


def _told(found: "list[Change]", *, stat: bool) -> Iterator[Line]:
    if not found:
        yield "The code is the same.", ""
    for change in found:
        if stat:
            yield _on_a_line(change)
        else:
            yield from _in_full(change)


def _on_a_line(change: "Change") -> Line:
    mark, style = _MARKS[change.kind]
    counted = f"+{change.added} -{change.removed}" if change.lines is not None else ""
    return f"{mark} {change.path}  {' '.join(filter(None, (counted, change.note)))}", style


def _in_full(change: "Change") -> Iterator[Line]:
    note = f"  ({change.note})" if change.note else ""
    yield f"{change.kind} {change.path}{note}", "bold"
    if change.lines:  # as `patch` reads it
        yield "--- " + ("/dev/null" if change.kind == "added" else f"a/{change.path}"), "bold"
        yield "+++ " + ("/dev/null" if change.kind == "removed" else f"b/{change.path}"), "bold"
    for line in change.lines or ():
        yield line, _STYLES.get(line[:1], "")


def _show(lines: Iterable[Line]) -> None:
    """Coloured on a terminal; elsewhere byte for byte, for pagers and `patch`."""
    if not sys.stdout.isatty():
        for text, _ in lines:
            printing.say(text)
        return
    console = printing.console()
    for text, style in lines:
        shown = "".join(c if c.isprintable() or c in "\t\n" else "�" for c in text)
        console.print(Text(shown, style), soft_wrap=True)


def _document(
    before: "Tree",
    after: "Tree",
    differing: dict[str, tuple[Any, Any]],
    found: "list[Change]",
) -> dict[str, Any]:
    return {
        "from": {"name": before.name, "source": before.source},
        "to": {"name": after.name, "source": after.source},
        "parameters": {name: list(values) for name, values in differing.items()},
        "files": [
            {
                "path": change.path,
                "change": change.kind,
                "note": change.note,
                "added": change.added,
                "removed": change.removed,
                "diff": None if change.lines is None else "\n".join(change.lines),
            }
            for change in found
        ],
    }
