"""Where the user's code stands: "file:line" of a call or definition, and the project's folder."""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PROJECT_MARKS = ("treadle.toml", "pyproject.toml", ".git")

#: (folder, what to show instead of it) while a snapshot of a project stands for the project
_standing_for: ContextVar[tuple[str, str] | None] = ContextVar("standing_for", default=None)


@contextmanager
def standing_for(folder: str, shown: str) -> Iterator[None]:
    """Show files below `folder` as if they lay below `shown`: a path in the project, or to it."""
    token = _standing_for.set((folder, shown))
    try:
        yield
    finally:
        _standing_for.reset(token)


def of_call() -> str:
    """The place of the nearest caller outside Treadle; "" if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return "" if frame is None else f"{shown(frame.f_code.co_filename)}:{frame.f_lineno}"


def _is_ours(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package in ("treadle", "runpy") or frame.f_code.co_filename.startswith("<frozen ")


def file_of(function: Callable[..., Any]) -> str:
    """The file in which the function is defined; "" if it has none."""
    code = getattr(function, "__code__", None)
    return code.co_filename if isinstance(code, CodeType) else ""


def of_function(function: Callable[..., Any]) -> str:
    """The place where the function is defined."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    return f"{shown(code.co_filename)}:{code.co_firstlineno}"


def shown(filename: str) -> str:
    """The file relative to its project; a cell or prompt by its own name."""
    if filename.startswith("<"):
        return filename
    if "/ipykernel_" in filename:
        return "<cell>"
    instead = _standing_for.get()
    if instead is not None and filename.startswith(instead[0] + "/"):
        filename = str(Path(instead[1]) / filename[len(instead[0]) + 1 :])
        if not filename.startswith("/"):
            return filename
    return _relative(filename)


@functools.cache
def _relative(filename: str) -> str:
    path = Path(os.path.abspath(filename))
    return str(path.relative_to(project_dir(path)))


def project_dir(file: Path) -> Path:
    """The nearest folder above with a project's mark; without one, the file's own folder."""
    return marked_folder(file) or Path(os.path.abspath(file)).parent


def marked_folder(file: Path) -> Path | None:
    """The nearest folder above with a project's mark, if there is one."""
    for folder in Path(os.path.abspath(file)).parents:
        if any((folder / mark).exists() for mark in PROJECT_MARKS):
            return folder
    return None
