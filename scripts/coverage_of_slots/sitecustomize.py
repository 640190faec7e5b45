"""On the path while coverage is measured: a slot writes down what it ran after each job.

A slot that is no longer needed is killed, and would take with it what coverage knows of it.
"""

from __future__ import annotations  # scripts of other Pythons, from 3.8, come by here too

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

MODULE = "treadle.runtime.perform"


class Finder:
    """Wraps `perform` of the one module when it is imported, and then gets out of the way."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            wrap_loader(spec.loader)
        return spec


def wrap_loader(loader: Any) -> None:
    execute = loader.exec_module

    def exec_module(module: Any) -> None:
        execute(module)
        module.perform = saving(module.perform)

    loader.exec_module = exec_module


def saving(perform: Callable[..., Any]) -> Callable[..., Any]:
    def perform_and_save(*args: Any) -> Any:
        from coverage import Coverage

        try:
            return perform(*args)
        finally:
            current = Coverage.current()
            if current is not None:
                current.save()

    return perform_and_save


def coverage_is_here() -> bool:
    try:
        return bool(version("coverage"))
    except PackageNotFoundError:
        return False


if coverage_is_here():
    sys.meta_path.insert(0, Finder())
