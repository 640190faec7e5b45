"""The code of a run, or of its project now: which files, and what is in them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.authoring.bundles import bundle_again
from treadle.cli.door import Door
from treadle.errors import MissingBlob, NotFound
from treadle.model.records import Run, Source

File = tuple[str, int, int]  #: digest, size in bytes, mode
Link = tuple[str, int, int]  #: absolute path, size in bytes, mtime in nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Files by path. content: the bytes of one; None if they are not to be had any more."""

    name: str  #: a run's id, or "now"
    source: Source
    files: Mapping[str, File]
    links: Mapping[str, Link]
    content: Callable[[str], bytes | None]
    parameters: Mapping[str, Any] | None = None


def tree_of_run(door: Door, run: Run) -> Tree:
    """The code that a run was submitted with.

    Raises NotFound if that is not known, MissingBlob if it is not stored any more.
    """
    source = _source(run)
    told = json.loads(door.blob(source.snapshot))
    files: dict[str, File] = {name: tuple(entry) for name, entry in told["files"].items()}
    links: dict[str, Link] = {name: tuple(e) for name, e in told.get("links", {}).items()}

    def content(path: str) -> bytes | None:
        try:
            return door.blob(files[path][0])
        except MissingBlob:
            return None

    return Tree(
        name=run.id,
        source=source,
        files=files,
        links=links,
        content=content,
        parameters=run.parameters,
    )


def tree_now(run: Run) -> Tree:
    """The same project as it is now. Raises NotFound if its folder is gone."""
    source = _source(run)
    if not Path(source.root).is_dir():
        raise NotFound(
            f"The project of {run.id} is not here any more: there is no folder {source.root}.",
            hint="Name a second run to compare with.",
        )
    made = bundle_again(source)

    def content(path: str) -> bytes | None:
        try:
            return made.files[path].path.read_bytes()
        except OSError:
            return None

    return Tree(
        name="now",
        source=made.source,
        files={name: (f.digest, f.size_bytes, f.mode) for name, f in made.files.items()},
        links=made.links,
        content=content,
    )


def _source(run: Run) -> Source:
    if run.source is None or not run.source.snapshot:
        raise NotFound(
            f"Run {run.id} has no files to compare: its code was sent by value, as that of a "
            "script, a prompt or a notebook is, or was installed.",
            hint="`treadle run FILE`, or tools in a module that is imported, keep the files.",
        )
    return run.source
