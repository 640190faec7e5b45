"""Bundles: the user's file and the modules beside it, addressed by content.

A bundle has the folder that imports start from: its .py files and extension modules, and those of
the packages in it. A folder without __init__.py counts as a package if a file of the bundle
imports it. Nothing of it is imported or run here.
"""

import ast
import importlib.machinery
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from treadle.authoring import places
from treadle.errors import InvalidDefinition, TooLarge
from treadle.model.parsing import parsed
from treadle.model.records import Source

SUFFIXES = (*importlib.machinery.SOURCE_SUFFIXES, *importlib.machinery.EXTENSION_SUFFIXES)
SKIPPED = frozenset({"__pycache__", "node_modules", "venv", "env", "site-packages"})
BUNDLE_LIMIT_BYTES = 256 * 1024 * 1024
BUNDLE_LIMIT_FILES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledFile:
    """A file as it was when it was bundled."""

    path: Path  #: absolute
    digest: str
    size_bytes: int
    mode: int  #: 0o644, or 0o755 if it may be executed


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Files by their path below the folder that imports start from."""

    digest: str  #: of the manifest
    manifest: bytes  #: {"files": {path: [digest, size in bytes, mode]}}, keys sorted, compact
    files: Mapping[str, BundledFile]
    root: Path
    project_dir: Path
    module: str = ""  #: to import, if the bundle was made for one file
    folder: str = ""  #: below the root: where imports start, or where the pipeline file lies
    source: Source = Source()  # noqa: RUF009 - frozen


def bundle(file: Path) -> Bundle:
    """The bundle of a file; `module` is the name to import it by.

    Raises InvalidDefinition if it is no readable Python file, TooLarge if there is too much.
    """
    file = file.expanduser().absolute()
    if not file.is_file():
        raise InvalidDefinition(f"there is no file {places.shown(str(file))}.")
    if file.suffix not in importlib.machinery.SOURCE_SUFFIXES:
        raise InvalidDefinition(f"{file.name} is not a Python file.", hint="Name a .py file.")
    if "." in file.stem:
        raise InvalidDefinition(
            f"{file.name} cannot be imported: a module's name has no dots.", hint="Rename it."
        )
    root = file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    names = list(file.relative_to(root).with_suffix("").parts)
    if names[-1] == "__init__" and len(names) > 1:
        names.pop()
    return bundle_of(root, module=".".join(names))


def bundle_of(root: Path, *, module: str = "", package: str = "") -> Bundle:
    """The bundle of the folder that imports start from.

    package: a folder there that counts as one whether or not it has an __init__.py.
    """
    modules = sorted(_modules(root, package))
    files = {str(path.relative_to(root)): _bundled(path) for path in modules}
    _check_limits(files)
    entries = {name: [f.digest, f.size_bytes, f.mode] for name, f in sorted(files.items())}
    manifest = json.dumps({"files": entries}, sort_keys=True, separators=(",", ":")).encode()
    return Bundle(
        digest=blake3(manifest).hexdigest(),
        manifest=manifest,
        files=files,
        root=root,
        project_dir=places.project_dir(root / "any"),
        module=module,
    )


def _bundled(path: Path) -> BundledFile:
    try:
        data = path.read_bytes()
        mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    except OSError as error:
        raise _unreadable(path, error) from error
    return BundledFile(path=path, digest=blake3(data).hexdigest(), size_bytes=len(data), mode=mode)


def _check_limits(files: Mapping[str, BundledFile]) -> None:
    largest = max(files, key=lambda name: files[name].size_bytes, default="")
    total = sum(file.size_bytes for file in files.values())
    if total > BUNDLE_LIMIT_BYTES:
        raise TooLarge(
            f"the modules beside the pipeline have {total:,} bytes, more than the "
            f"{BUNDLE_LIMIT_BYTES:,} that are sent along; the largest is {largest}.",
            hint="Move the pipeline to a folder of its own, or install large packages.",
        )


def _modules(root: Path, package: str) -> list[Path]:
    """Modules beside the pipeline and in packages there, and in plain folders they import."""
    inside = root.resolve()
    found = list(_files(root, inside))
    folders = [
        folder
        for folder in _folders(root, inside)
        if (folder / "__init__.py").is_file() or folder.name == package
    ]
    plain = [folder for folder in _folders(root, inside) if folder not in folders]
    while True:
        for folder in folders:
            found += _tree(folder, inside)
        _check_count(len(found), root)
        imported = {name for path in found for name in _imports(path)} if plain else set()
        folders = [folder for folder in plain if folder.name in imported]
        plain = [folder for folder in plain if folder not in folders]
        if not folders:
            return found


def _tree(folder: Path, inside: Path) -> Iterator[Path]:
    yield from _files(folder, inside)
    for below in _folders(folder, inside):
        yield from _tree(below, inside)


def _files(folder: Path, inside: Path) -> Iterator[Path]:
    for path in _listed(folder):
        if path.name.endswith(SUFFIXES) and path.is_file() and _is_within(path, inside):
            yield path


def _folders(folder: Path, inside: Path) -> Iterator[Path]:
    """Folders that may be packages: neither hidden, nor environments, nor links that loop."""
    for path in _listed(folder):
        if path.name in SKIPPED or not path.name.isidentifier() or not path.is_dir():
            continue
        loops = path.is_symlink() and folder.resolve().is_relative_to(path.resolve())
        if _is_within(path, inside) and not loops and not (path / "pyvenv.cfg").exists():
            yield path


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _is_within(path: Path, inside: Path) -> bool:
    """Whether the path leads, links followed, to something below the root."""
    return not path.is_symlink() or path.resolve().is_relative_to(inside)


def _imports(path: Path) -> set[str]:
    """First names of what the file imports; none if it is no Python that can be read."""
    if path.suffix != ".py":
        return set()
    try:
        tree = parsed(path.read_bytes())
    except (SyntaxError, ValueError, OSError):  # told when the file is imported, or bundled
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _check_count(count: int, root: Path) -> None:
    if count > BUNDLE_LIMIT_FILES:
        raise TooLarge(
            f"there are more than {BUNDLE_LIMIT_FILES:,} modules beside the pipeline in {root}.",
            hint="Move the pipeline to a folder of its own.",
        )


def _unreadable(path: Path, error: OSError) -> InvalidDefinition:
    return InvalidDefinition(
        f"{path} cannot be read: {error.strerror}.",
        hint="Every module beside a pipeline goes with it; make it readable, or move it away.",
    )
