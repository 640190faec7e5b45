"""Files that modules name: scripts, and what their environments are made from.

Where no project is marked they go along with the modules: `treadle.script("load.sh")` and
`environment={"requirements": "requirements.txt"}` say that they are needed. Names that the code
puts together while it runs are not seen.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from treadle.model.parsing import parsed

_FILES_OF_ENVIRONMENTS = ("requirements", "conda", "environment")
_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[\s=]\s*(\S+)", re.MULTILINE)
_MOST = 255  #: characters of a file's name


def files(root: Path, modules: Iterable[Path]) -> Iterator[Path]:
    """Those that lie below the root, links followed; each may come several times."""
    inside = root.resolve()
    for module in modules:
        for name in _names(module):
            yield from _with_included(module.parent, name, inside, set())


def _with_included(folder: Path, name: str, inside: Path, seen: set[Path]) -> Iterator[Path]:
    """The file, and those that a requirements file includes."""
    pure = PurePosixPath(name)
    path = folder / pure
    if not name or pure.is_absolute() or ".." in pure.parts or path in seen:
        return
    if not path.is_file() or not path.resolve().is_relative_to(inside):
        return
    seen.add(path)
    yield path
    if path.suffix in (".txt", ".in"):
        for included in _INCLUDE.findall(path.read_text(encoding="utf-8", errors="replace")):
            yield from _with_included(path.parent, included, inside, seen)


def _names(module: Path) -> Iterator[str]:
    try:
        data = module.read_bytes() if module.suffix == ".py" else b""
        tree = parsed(data if b"treadle" in data else b"")
    except (SyntaxError, ValueError, OSError):  # told when the file is imported, or bundled
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name_of(node.func) == "script":
            yield from _texts(*node.args[:1])
        elif isinstance(node, ast.keyword) and node.arg in _FILES_OF_ENVIRONMENTS:
            yield from _texts(node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in _FILES_OF_ENVIRONMENTS:
                    yield from _texts(value)


def _name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _texts(*nodes: ast.expr) -> Iterator[str]:
    """The texts that stand in them, and the files that these include."""
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                found = (each.value, *_INCLUDE.findall(each.value))
                yield from (text for text in found if "\0" not in text and len(text) < _MOST)
