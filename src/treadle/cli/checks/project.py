"""The project of the working folder: what would go along with a run, is its pipeline file right."""

from collections.abc import Iterator
from pathlib import Path

from treadle.authoring import limits, places, projects
from treadle.cli import printing
from treadle.cli.checks.finding import Finding, broken, doubtful, good
from treadle.errors import TreadleError
from treadle.formats import native

PIPELINE_FILES = ("treadle.yaml", "treadle.yml", "treadle.json")
NAMED = 3


def examine(folder: Path) -> Iterator[Finding]:
    root = places.marked_folder(folder / "any")
    if root is None:
        marks = ", ".join(places.PROJECT_MARKS)
        says = f"none: no {marks} in {folder} or above; the pipeline's folder counts"
        yield good("project", says)
    else:
        mark = next(mark for mark in places.PROJECT_MARKS if (root / mark).exists())
        yield good("project", f"{root} (it has {mark})")
        yield from _files(root)
    for name in PIPELINE_FILES:
        if (folder / name).is_file():
            yield _pipeline_file(folder / name)


def _files(root: Path) -> Iterator[Finding]:
    try:
        project = projects.look(root)
    except TreadleError as error:
        yield broken("files", error.message, error.hint)
        return
    sizes = sorted(((each.status.st_size, each.name) for each in project.files), reverse=True)
    copied = [(size, name) for size, name in sizes if size <= limits.LINKED_FROM_BYTES]
    total = sum(size for size, _ in copied)
    says = f"{len(copied)} go along with a run, {printing.size(total)}"
    if linked := len(sizes) - len(copied):
        says += f"; {linked} large ones are linked"
    if sizes:
        says += f"; largest {_named(sizes)}"
    try:
        limits.check_size(root, copied)
    except TreadleError as error:
        yield broken("files", says, error.sentence)
        return
    yield good("files", says)
    if project.left_out:
        told = [f"{name}: {why}" for name, why in list(project.left_out.items())[:NAMED]]
        more = len(project.left_out) - len(told)
        says = "; ".join(told) + (f"; and {more} more" if more else "")
        yield doubtful("left out", says, "No step will find these; copy them into the project.")


def _named(sizes: list[tuple[int, str]]) -> str:
    return ", ".join(f"{name} ({printing.size(size)})" for size, name in sizes[:NAMED])


def _pipeline_file(file: Path) -> Finding:
    try:
        checked = native.check(native.Place(file=file))
    except TreadleError as error:
        return broken("pipeline file", f"{file.name}: {error.message}", error.hint)
    see_all = f"`treadle validate {file.name}` tells more."
    if checked.problems:
        says = f"{checked.problems[0]}"
        more = len(checked.problems) - 1
        return broken("pipeline file", says + (f" (and {more} more)" if more else ""), see_all)
    steps = len(checked.loaded.pipeline.steps) if checked.loaded else 0
    says = f"{file.name}: valid, {steps} step{'' if steps == 1 else 's'}"
    if checked.warnings:
        return doubtful("pipeline file", f"{says}; {checked.warnings[0]}", see_all)
    return good("pipeline file", says)
