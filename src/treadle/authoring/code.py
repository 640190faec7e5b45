"""Pins the tools of a trace to code: what is installed, a snapshot of files, or a pickled value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from treadle.authoring import by_value, places
from treadle.authoring.bundles import Bundle, bundle, bundle_for, bundle_of
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

    @property
    def top(self) -> Path:
        """Where the bundle is unpacked."""
        return self.root.parents[self.folder.count("/")] if self.folder else self.root


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
            top, digest = self.snapshot.top, self.snapshot.digest
            project_dir = self.snapshot.project_dir
        else:
            made = self._bundle_with(tool.file, here) or bundle(tool.file)
            self._bundles.setdefault(made.root, made)
            top, digest, project_dir = made.root, made.digest, str(made.project_dir)
            if tool.script and str((here / tool.script).relative_to(top)) not in made.files:
                raise not_along(tool)
        return Code(
            kind="snapshot",
            digest=digest,
            entry=tool.script,
            project_dir=project_dir,
            folder=_below(top, here),
        )

    def _code_of_file(self, origin: Origin) -> Code:
        if origin.root is None or origin.file is None:
            return Code(kind="snapshot", digest="", entry=origin.entry)
        if self.snapshot is not None:
            # What is not in the snapshot was importable here, so it is in every worker.
            top = self.snapshot.top
            inside = origin.file.is_relative_to(top) and origin.root.is_relative_to(top)
            return Code(
                kind="snapshot",
                digest=self.snapshot.digest if inside else "",
                entry=origin.entry,
                project_dir=self.snapshot.project_dir,
                folder=_below(top, origin.root) if inside else "",
            )
        made = self._bundle_with(origin.file, origin.root)
        if made is None:
            top = origin.root / origin.file.relative_to(origin.root).parts[0]
            made = self._bundles.get(top)
            if made is None:
                made = bundle_of(origin.root, package=top.name, file=origin.file)
                self._bundles[top] = made
        return Code(
            kind="snapshot",
            digest=made.digest,
            entry=origin.entry,
            project_dir=str(places.project_dir(origin.file)),
            folder=_below(made.root, origin.root),
        )

    def _bundle_with(self, file: Path, start: Path) -> Bundle | None:
        """The bundle of the project that the file, imported from there, is part of."""
        root = places.marked_folder(file)
        if root is None or not start.is_relative_to(root):
            return None
        made = self._bundles.get(root)
        if made is None:
            made = bundle_for(file, start)
            if made is not None:
                self._bundles[root] = made
        return made if made is not None and _below(root, file) in made.files else None

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


def _below(root: Path, path: Path) -> str:
    """The path below the root; "" for the root itself."""
    return "" if path == root else path.relative_to(root).as_posix()


def _fresh(entry: str, taken: Mapping[str, Any]) -> str:
    """The entry, or entry#2, ... where another function has the same qualified name."""
    names = [entry, *(f"{entry}#{n}" for n in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)
