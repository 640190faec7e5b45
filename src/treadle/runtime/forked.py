"""Python scripts in a fork of the slot: an interpreter that has started already.

What differs from `python FILE`: modules that the slot has imported need not be imported again,
and standard output is written line by line.
"""

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from treadle.runtime import as_main
from treadle.runtime.child import Become

_UNFLUSHED = 120  #: Python's exit code when standard output cannot be written at the end


def python(
    script: str, arguments: Sequence[str], facts: str, variables: Mapping[str, str]
) -> Become:
    """To become the script, in the child."""

    def become() -> None:
        os.environ.clear()
        os.environ.update(variables)
        _let_go_of_the_slot()
        _make_fresh(os.path.dirname(script))
        before = set(sys.modules)
        interrupted = False
        try:
            code = as_main.run(script, list(arguments), facts)
        except KeyboardInterrupt:
            code, interrupted = 130, True
        _end(code, interrupted, before)

    return become


def _let_go_of_the_slot() -> None:
    """Put nothing where the slot's sockets and pipes were: to close them would free their numbers,
    and the slot's objects, which still exist here, would close them again."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and _is_channel(fd):
            os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)
    sys.stdin = open(0, closefd=False)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))


def _is_channel(fd: int) -> bool:
    try:
        mode = os.fstat(fd).st_mode
    except OSError:  # that of the listing itself
        return False
    return stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)


def _make_fresh(folder: str) -> None:
    """Undo what a fork shares that a process of its own would not."""
    processes: Any = sys.modules.get("multiprocessing.process")
    if processes is not None:
        processes.ORIGINAL_DIR = os.getcwd()
    random: Any = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()  # else all scripts would draw the same numbers
    for name in set(_names_in(folder)) & set(sys.modules):
        if _is_elsewhere(sys.modules[name], folder):
            _forget(name)


def _names_in(folder: str) -> Iterator[str]:
    """Modules and packages that lie there."""
    for entry in os.scandir(folder):
        name, ending = os.path.splitext(entry.name)
        if ending in (".py", "") and name.isidentifier():
            yield name


def _is_elsewhere(module: ModuleType, folder: str) -> bool:
    """Whether the script would find a module of its own folder instead of this one, which only
    the slot needed. What every Python loads as it starts is not looked for again."""
    file = getattr(module, "__file__", None)
    return (
        file is not None
        and not file.startswith(os.path.join(folder, ""))
        and module.__name__ not in _LOADED_AT_START
    )


_LOADED_AT_START = {
    "_collections_abc", "_sitebuiltins", "abc", "codecs", "encodings", "genericpath", "io", "os",
    "posixpath", "site", "stat", "zipimport",
}  # fmt: skip


def _forget(name: str) -> None:
    for each in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[each]


def _end(code: int, interrupted: bool, before: set[str]) -> NoReturn:
    """What the interpreter does at its end, but for taking itself apart."""
    threading._shutdown()  # type: ignore[attr-defined] # waits for threads that are no daemons
    atexit._run_exitfuncs()
    code = _flush() or code
    _clear_modules(before)
    code = _flush() or code
    ctypes.CDLL(None).fflush(None)
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code)


def _flush() -> int:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            return _UNFLUSHED
    return 0


def _clear_modules(before: set[str]) -> None:
    """Let go of what the script and its own modules hold: files that were not closed are written
    to their end, __del__ methods run. Libraries are left alone."""
    folder = str(Path(sys.argv[0]).parent) + os.sep
    main = sys.modules.pop("__main__", None)
    own = [sys.modules[name] for name in [*sys.modules] if name not in before]
    with contextlib.suppress(AttributeError):
        del sys.last_type, sys.last_value, sys.last_traceback
    for module in (main, *reversed(own)):
        if module is main or (getattr(module, "__file__", None) or "").startswith(folder):
            _clear(module)
    gc.collect()


def _clear(module: ModuleType | None) -> None:
    """Private names first, as Python does."""
    names: dict[str, Any] = vars(module) if module is not None else {}
    for name in sorted(names, key=lambda name: not name.startswith("_")):
        if name != "__builtins__":
            names[name] = None
