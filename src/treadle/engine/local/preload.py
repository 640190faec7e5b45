"""Modules imported once, in the process that slots are forked from, so that they have them at once.

That process must stay single-threaded. Numeric libraries are told to use one thread while they are
imported, and a slot of a job with more cores raises that again where threadpoolctl is there. A
module that starts threads all the same cannot be undone but by beginning anew without it.
"""

import importlib
import importlib.util
import json
import os
import sys
from typing import Any

from treadle.engine.local.job_state import limit_threads


def load(given: dict[str, Any], control: int) -> dict[str, str]:
    """Import what is given; return what was left out, with the reason. control: a descriptor that
    is kept where the process begins anew."""
    limit_threads(1)
    left_out: dict[str, str] = dict(given.get("left_out", {}))
    for name in given["preload"]:
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - modules may raise anything
            left_out[name] = f"{type(error).__name__}: {error}"
        if _threads() > 1:
            _begin_anew(given, control, {**left_out, name: "it starts threads when imported."})
    if given["preload"] and importlib.util.find_spec("threadpoolctl"):
        importlib.import_module("threadpoolctl")
    return left_out


def raise_threads(cpus: float) -> None:
    """In a slot: let numeric libraries that are already loaded use as many threads as cores."""
    control = sys.modules.get("threadpoolctl")
    if control is not None and cpus >= 2:
        control.threadpool_limits(limits=int(cpus))


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _begin_anew(given: dict[str, Any], control: int, left_out: dict[str, str]) -> None:
    """Exec the same command with the rest of the list."""
    rest = [name for name in given["preload"] if name not in left_out]
    os.set_inheritable(control, True)
    word = json.dumps({**given, "preload": rest, "left_out": left_out})
    os.execv(sys.executable, [*sys.orig_argv[:-1], word])
