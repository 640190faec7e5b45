"""Bundles: the code of a run, addressed by content.

For a file in a project (the nearest folder above it with a treadle.toml, pyproject.toml or .git)
that is the whole project, ignored files left out. Without a project it is a Python file with the
modules beside it, or the folder of a pipeline file.
"""

import importlib.machinery
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from treadle.authoring import beside, index, limits, named, places, projects
from treadle.authoring.contents import digest_of
from treadle.authoring.git import GitFacts, GitStatus, repository_of
from treadle.authoring.projects import Found, Project, mode_of, unreadable
from treadle.errors import InvalidDefinition
from treadle.model.records import Source

DOCUMENTS = (".yaml", ".yml", ".json")  #: pipeline files
CODE = (
    *beside.SUFFIXES, *DOCUMENTS, ".sh", ".bash", ".ipynb", ".toml", ".r", ".R", ".jl", ".js",
    ".sql", ".whl", ".jar",
)  # fmt: skip
Link = tuple[str, int, int]  #: (absolute path, size in bytes, mtime in nanoseconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledFile:
    """A file as it was when it was bundled."""

    place: str  #: its absolute path
    digest: str
    size_bytes: int
    mode: int  #: 0o644, or 0o755 if it may be executed

    @property
    def path(self) -> Path:
        return Path(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Files by their path below the root. links: large data files, which stay where they are."""

    digest: str  #: of the manifest
    manifest: bytes  #: see manifest_of
    files: Mapping[str, BundledFile]
    root: Path
    project_dir: Path
    links: Mapping[str, Link] = field(default_factory=dict)
    module: str = ""  #: to import, if the bundle was made for a Python file
    folder: str = ""  #: below the root: where imports start, or where the pipeline file lies
    source: Source = Source()  # noqa: RUF009 - frozen
    left_out: Mapping[str, str] = field(default_factory=dict)  #: path -> why, if not by a rule


def manifest_of(files: Mapping[str, BundledFile], links: Mapping[str, Link]) -> bytes:
    """{"files": {path: [digest, size in bytes, mode]}, "links": {path: [absolute path, size in
    bytes, mtime in ns]}} as JSON, keys sorted, compact; no "links" if there are none.
    """
    told: dict[str, object] = {
        "files": {name: (f.digest, f.size_bytes, f.mode) for name, f in files.items()}
    }
    if links:
        told["links"] = links
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def bundle(file: Path) -> Bundle:
    """The bundle of a Python file or a pipeline file.

    Raises InvalidDefinition if it is neither or something cannot be read, TooLarge if there is too
    much, Conflict if a file goes on changing meanwhile.
    """
    file = Path(os.path.abspath(file.expanduser()))
    if not file.is_file():
        raise InvalidDefinition(f"there is no file {places.shown(str(file))}.")
    if file.suffix.lower() in DOCUMENTS:
        return bundle_for(file, file.parent) or project_bundle(
            file.parent, file=file.name, folder=""
        )
    _check_is_module(file)
    start = file.parent
    while (start / "__init__.py").is_file():
        start = start.parent
    names = list(file.relative_to(start).with_suffix("").parts)
    if names[-1] == "__init__" and len(names) > 1:
        names.pop()
    module = ".".join(names)
    return bundle_for(file, start, module=module) or bundle_of(start, module=module, file=file)


def _check_is_module(file: Path) -> None:
    if file.suffix not in importlib.machinery.SOURCE_SUFFIXES:
        raise InvalidDefinition(
            f"{file.name} is not a Python file, nor a pipeline file.",
            hint=f"Name a file that ends in .py, {', '.join(DOCUMENTS)}.",
        )
    if "." in file.stem:
        raise InvalidDefinition(
            f"{file.name} cannot be imported: a module's name has no dots.", hint="Rename it."
        )


def bundle_for(file: Path, start: Path, *, module: str = "") -> Bundle | None:
    """The bundle of the project that the file is part of; None if it is part of none.

    start: the folder that its imports start from, or the file's own. A file whose imports start
    above the project, or that a rule leaves out of it, is no part of it.
    Raises InvalidDefinition if only a link that leads out of the project leads to the file.
    """
    root = places.marked_folder(file)
    if root is None or not start.is_relative_to(root):
        return None
    name = file.relative_to(root).as_posix()
    folder = start.relative_to(root).as_posix()
    made = project_bundle(root, file=name, folder="" if folder == "." else folder, module=module)
    for each in projects.ancestors(name):
        if each in made.left_out:
            raise InvalidDefinition(
                f"{each} cannot go along with the project {root}: {made.left_out[each]}.",
                hint="Put the file itself into the project.",
            )
    return made if name in made.files else None


def bundle_again(source: Source) -> Bundle:
    """What would be bundled now where a run's code is from. Errors as for bundle()."""
    root, file = Path(source.root), Path(source.root, source.file)
    if file.suffix == ".py" and places.marked_folder(root / "any") != root:
        package = source.file.partition("/")[0] if "/" in source.file else ""
        return bundle_of(root, package=package, file=file)
    return project_bundle(root, file=source.file, folder="")


def project_bundle(root: Path, *, file: str, folder: str, module: str = "") -> Bundle:
    """The bundle of a whole project. file, folder: below the root; see Bundle.

    Git tells of the project while it is walked through.
    """
    repository = repository_of(root)
    status = None if repository is None else GitStatus(root)
    try:
        project = projects.look(root, repository)
        files, links = _contents(project)
        if project.is_changed:
            index.save(root, project.folders)
        manifest = manifest_of(files, links)
        facts = GitFacts() if status is None else status.facts()
    finally:
        if status is not None:
            status.stop()
    digest = blake3(manifest).hexdigest()
    return Bundle(
        digest=digest,
        manifest=manifest,
        files=files,
        links=links,
        root=root,
        project_dir=root,
        module=module,
        folder=folder,
        source=_source(digest, root, file, facts),
        left_out=project.left_out,
    )


def _source(digest: str, root: Path, file: str, facts: GitFacts) -> Source:
    return Source(
        snapshot=digest,
        root=str(root),
        file=file,
        commit=facts.commit,
        branch=facts.branch,
        dirty=facts.dirty,
    )


def _contents(project: Project) -> tuple[dict[str, BundledFile], dict[str, Link]]:
    """What goes along, and what is linked. Nothing is read that has not changed."""
    copied: list[Found] = []
    links: dict[str, Link] = {}
    for found in project.files:
        size = found.status.st_size
        if size > limits.LINKED_FROM_BYTES and not found.name.endswith(CODE):
            links[found.name] = (found.path, size, found.status.st_mtime_ns)
        else:
            copied.append(found)
    limits.check_size(project.root, [(found.status.st_size, found.name) for found in copied])
    files = {}
    for found in copied:
        if (file := _bundled(project, found)) is not None:
            files[found.name] = file
    return files, links


def _bundled(project: Project, found: Found) -> BundledFile | None:
    """The file; None if it has gone since the project was walked through."""
    known = found.known
    if known is not None:
        return BundledFile(
            place=found.path, digest=known.digest, size_bytes=known.size_bytes, mode=known.mode
        )
    try:
        digest, found.status = digest_of(found.path, found.status)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(found.path, error) from error
    project.remember(found, digest)
    return BundledFile(
        place=found.path,
        digest=digest,
        size_bytes=found.status.st_size,
        mode=mode_of(found.status),
    )


def bundle_of(root: Path, *, module: str = "", package: str = "", file: Path) -> Bundle:
    """The modules of the folder that imports start from, for a file in no project, and the files
    that they name as scripts or requirements.

    package: a folder there that counts as one whether or not it has an __init__.py.
    """
    modules = beside.modules(root, package)
    paths = sorted({*modules, *named.files(root, modules)})
    files = {str(path.relative_to(root)): _module(path) for path in paths}
    limits.check_size(root, [(each.size_bytes, name) for name, each in files.items()])
    manifest = manifest_of(files, {})
    digest = blake3(manifest).hexdigest()
    return Bundle(
        digest=digest,
        manifest=manifest,
        files=files,
        root=root,
        project_dir=places.project_dir(file),
        module=module,
        source=_source(digest, root, str(file.relative_to(root)), GitFacts()),
    )


def _module(path: Path) -> BundledFile:
    try:
        digest, status = digest_of(str(path), path.stat())
    except OSError as error:
        raise unreadable(str(path), error) from error
    return BundledFile(
        place=str(path), digest=digest, size_bytes=status.st_size, mode=mode_of(status)
    )
