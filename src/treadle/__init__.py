"""Treadle: durable, observable runs of functions, from one process to a cluster.

Names load when they are first used, so that `import treadle` inside a step costs little.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.authoring import command, pipeline, script, tool
    from treadle.client import Client, Run
    from treadle.errors import JobError, TreadleError, WorkerDied
    from treadle.server.connecting import AsyncClient, connect
    from treadle.server.embedded import local
    from treadle.step import (
        attempt_number,
        inputs,
        log_metric,
        output,
        parameters,
        progress,
        scratch_dir,
    )

__version__ = "0.1.0"

_HOMES = {
    "AsyncClient": "server.connecting",
    "Client": "client",
    "JobError": "errors",
    "Run": "client",
    "TreadleError": "errors",
    "WorkerDied": "errors",
    "attempt_number": "step",
    "command": "authoring",
    "connect": "server.connecting",
    "inputs": "step",
    "local": "server.embedded",
    "log_metric": "step",
    "output": "step",
    "parameters": "step",
    "pipeline": "authoring",
    "progress": "step",
    "scratch_dir": "step",
    "script": "authoring",
    "tool": "authoring",
}

__all__ = [
    "AsyncClient",
    "Client",
    "JobError",
    "Run",
    "TreadleError",
    "WorkerDied",
    "__version__",
    "attempt_number",
    "command",
    "connect",
    "inputs",
    "local",
    "log_metric",
    "output",
    "parameters",
    "pipeline",
    "progress",
    "scratch_dir",
    "script",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'treadle' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"treadle.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
