"""Pins the tools of a trace to code: what is installed, a snapshot of files, or a pickled value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from blake3 import blake3

from treadle.authoring import by_value, places
from treadle.authoring.bundles import Bundle, bundle, bundle_of
from treadle.authoring.origins import Origin, origin_of
from treadle.authoring.scripts import ScriptTool, not_along
from treadle.authoring.tools import ToolFunction
from treadle.model.records import Code

AnyTool = ToolFunction[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A bundle that is already stored, as unpacked in the process that traces."""

    digest: str
    root: Path  #: where imports start
    project_dir: str
    folder: str = ""  #: the root's place in the bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The code of every tool, and what is to be uploaded for it."""

    codes: Mapping[int, Code]  #: by id() of the tool's original
    blobs: Mapping[str, bytes]
    bundles: tuple[Bundle, ...]


@dataclass(slots=True)
class CodeChooser:
    """Decides by where a function comes from. snapshot: where the pipeline's own file is from."""

    snapshot: Snapshot | None = None
    _origins: dict[int, Origin] = field(default_factory=dict)
    _bundles: dict[Path, Bundle] = field(default_factory=dict)  # by folder or file at the root

    def origin_of(self, tool: AnyTool) -> Origin:
        key = id(tool.original)
        if key not in self._origins:
            self._origins[key] = origin_of(tool.function)
        return self._origins[key]

    def pin(self, tools: Iterable[AnyTool]) -> Pinned:
        """Code for each tool; all functions sent by value share one blob.

        Raises InvalidDefinition if one cannot be pickled or bundled.
        """
        originals = {id(tool.original): tool.original for tool in tools}
        values: dict[str, AnyTool] = {}
        codes: dict[int, Code] = {}
        for key, tool in originals.items():
            origin = self.origin_of(tool)
            if origin.kind == "value":
                values[_fresh(origin.entry, values)] = tool
            else:
                codes[key] = self._code_of_file(origin)
        blobs = self._pin_values(values, codes) if values else {}
        return Pinned(codes=codes, blobs=blobs, bundles=tuple(self._bundles.values()))

    def code_of_script(self, tool: ScriptTool) -> Code:
        """Code for a script, which lies beside the file that names it.

        Raises InvalidDefinition if it does not go along.
        """
        here = tool.file.parent
        if self.snapshot is not None:
            top = self.snapshot.root
            for _ in PurePosixPath(self.snapshot.folder).parts:
                top = top.parent
            folder, digest = here.relative_to(top), self.snapshot.digest
            project_dir = self.snapshot.project_dir
        else:
            made = self._bundles.get(tool.file) or bundle(tool.file)
            self._bundles[tool.file] = made
            folder, digest = here.relative_to(made.root), made.digest
            project_dir = str(made.project_dir)
            if tool.script and str(folder / tool.script) not in made.files:
                raise not_along(tool)
        return Code(
            kind="snapshot",
            digest=digest,
            entry=tool.script,
            project_dir=project_dir,
            folder="" if folder == Path() else folder.as_posix(),
        )

    def _code_of_file(self, origin: Origin) -> Code:
        if origin.root is None or origin.file is None:
            return Code(kind="snapshot", digest="", entry=origin.entry)
        if self.snapshot is not None:
            # What is not in the snapshot was importable here, so it is in every worker.
            inside = origin.file.is_relative_to(self.snapshot.root)
            return Code(
                kind="snapshot",
                digest=self.snapshot.digest if inside else "",
                entry=origin.entry,
                project_dir=self.snapshot.project_dir,
                folder=self.snapshot.folder if inside else "",
            )
        top = origin.root / origin.file.relative_to(origin.root).parts[0]
        if top not in self._bundles:
            self._bundles[top] = bundle_of(origin.root, package=top.name)
        return Code(
            kind="snapshot",
            digest=self._bundles[top].digest,
            entry=origin.entry,
            project_dir=str(places.project_dir(origin.file)),
        )

    def _pin_values(
        self, values: Mapping[str, AnyTool], codes: dict[int, Code]
    ) -> dict[str, bytes]:
        data = by_value.blob(values)
        digest = blake3(data).hexdigest()
        for entry, tool in values.items():
            codes[id(tool)] = Code(
                kind="value", digest=digest, entry=entry, project_dir=self._project_dir(tool)
            )
        return {digest: data}

    def _project_dir(self, tool: AnyTool) -> str:
        if self.snapshot is not None:
            return self.snapshot.project_dir
        file = self.origin_of(tool).file
        return str(Path.cwd() if file is None else places.project_dir(file))


def _fresh(entry: str, taken: Mapping[str, Any]) -> str:
    """The entry, or entry#2, ... where another function has the same qualified name."""
    names = [entry, *(f"{entry}#{n}" for n in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)
