"""Where a function comes from: what is installed, an importable file, or neither."""

import importlib.machinery
import sys
import sysconfig
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

_SOURCES = tuple(importlib.machinery.SOURCE_SUFFIXES)
_STDLIB = tuple(
    {str(Path(sysconfig.get_path(key)).resolve()) + "/" for key in ("stdlib", "platstdlib")}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a function comes from, and so how another process gets it."""

    kind: Literal["installed", "file", "value"]
    entry: str  #: "module:qualname", or the qualname for a value
    file: Path | None = None  #: None for a prompt
    root: Path | None = None  #: the folder to import the module from, for a file


def origin_of(function: Callable[..., Any]) -> Origin:
    """installed: in site-packages, the standard library or Treadle; file: in an importable file;
    value: in a script that is run, a prompt, a notebook cell, or another function.
    """
    name = function.__module__
    module = sys.modules.get(name)
    file = file_of(module)
    value = Origin(kind="value", entry=function.__qualname__, file=file or _code_file(function))
    if module is None or file is None or not _leads_back(module, function):
        return value
    entry = f"{name}:{function.__qualname__}"
    if is_installed(name, file):
        return Origin(kind="installed", entry=entry, file=file)
    root = _import_root(name, file)
    if name in ("__main__", "__mp_main__") or root is None:
        return value
    return Origin(kind="file", entry=entry, file=file, root=root)


def file_of(module: types.ModuleType | None) -> Path | None:
    """The module's source file, if it has one."""
    file = getattr(module, "__file__", None)
    return Path(file).absolute() if isinstance(file, str) and file.endswith(_SOURCES) else None


def is_installed(name: str, file: Path) -> bool:
    """Whether every worker has the module: the standard library, site-packages, Treadle."""
    top = name.partition(".")[0]
    if top == "treadle" or top in sys.stdlib_module_names:
        return True
    if "site-packages" in file.parts or "dist-packages" in file.parts:
        return True
    return str(file.resolve()).startswith(_STDLIB)


def _code_file(function: Callable[..., Any]) -> Path | None:
    code = getattr(function, "__code__", None)
    path = None if code is None else Path(code.co_filename)
    return path.absolute() if path is not None and path.is_file() else None


def _leads_back(module: types.ModuleType, function: Callable[..., Any]) -> bool:
    """Whether module:qualname finds this very function, or the tool made of it."""
    found: Any = module
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function or getattr(found, "function", None) is function


def _import_root(name: str, file: Path) -> Path | None:
    """The folder from which importing `name` leads to the file, if there is one."""
    path = file.with_suffix("")
    if path.name == "__init__":
        path = path.parent
    names = tuple(name.split("."))
    return path.parents[len(names) - 1] if path.parts[-len(names) :] == names else None
