"""Modules beside a Python file, where no project is marked: what its imports can find.

That is the folder that imports start from: its .py files and extension modules, and those of the
packages in it. A folder without __init__.py counts as a package if a file of the bundle imports
it. Nothing of it is imported or run here.
"""

import ast
import importlib.machinery
from collections.abc import Iterator
from pathlib import Path

from treadle.authoring.limits import check_modules
from treadle.authoring.projects import unreadable
from treadle.model.parsing import parsed

SUFFIXES = (*importlib.machinery.SOURCE_SUFFIXES, *importlib.machinery.EXTENSION_SUFFIXES)
SKIPPED = frozenset({"__pycache__", "node_modules", "venv", "env", "site-packages"})


def modules(root: Path, package: str) -> list[Path]:
    """Modules in the folder and in packages there, and in plain folders they import.

    package: a folder there that counts as one whether or not it has an __init__.py. Raises
    InvalidDefinition if something cannot be read, TooLarge if there are too many.
    """
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
        check_modules(root, len(found))
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
        raise unreadable(str(folder), error) from error


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
