"""Runs a file as `python FILE` would: as __main__, with the very same words when it fails.

In the slot's own interpreter `run` is called in a forked child. Another interpreter is given this
file's path: `python as_main.py FACTS SCRIPT [ARGUMENT...]`; so it needs the standard library of
Python 3.8 only, and imports nothing before the script does that the script could miss.

FACTS: where to write, as a Python literal, what the script died of: {exception, message,
traceback} with {errno, path} or {module} where known, or {exit: text} after sys.exit(text).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

_MESSAGE_CHARACTERS, _TRACEBACK_CHARACTERS = 500, 48_000


class Notebook:
    """The file for the facts, open from the beginning: a script may change its user or its root."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file = self._identity()

    def write(self, found: dict[str, str]) -> None:
        try:
            if self._identity() == self._file:  # else closed by the script, and another's number
                os.write(self._fd, repr(found).encode("utf-8", "backslashreplace"))
        except OSError as error:
            sys.stderr.write(f"[treadle: how the script failed cannot be noted: {error}]\n")

    def _identity(self) -> tuple[int, int]:
        found = os.fstat(self._fd)
        return found.st_dev, found.st_ino


def run(script: str, arguments: list[str], facts: str) -> int:
    """Execute the script in this process; its exit code. What it raised is printed, and noted.

    A script that is interrupted raises KeyboardInterrupt here too, for its process to die of it.
    """
    notebook = Notebook(facts)
    module = _main_module(script, arguments)
    try:
        with open(script, "rb") as file:
            code = compile(file.read(), script, "exec", dont_inherit=True)
    except Exception as error:  # noqa: BLE001 - also MemoryError, for code nested too deeply
        notebook.write(_facts_of(error, None))
        # Python reads files in another way than strings: let it say itself what is wrong.
        os.execv(sys.executable, [sys.executable, script, *arguments])
    sys.setrecursionlimit(sys.getrecursionlimit() + _depth())
    try:
        exec(code, module.__dict__)
    except SystemExit as error:
        return _exit_code(error, notebook)
    except BaseException as error:
        trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
        notebook.write(_facts_of(error, trace))
        exit_code = _print(error.with_traceback(trace))
        if isinstance(error, KeyboardInterrupt):
            raise
        return exit_code
    return 0


def _main_module(script: str, arguments: list[str]) -> ModuleType:
    """A __main__ as for a script, and the names by which it finds itself."""
    sys.argv = [script, *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    if not os.environ.get("PYTHONSAFEPATH"):
        sys.path.insert(0, os.path.dirname(script))
    module = type(sys)("__main__")
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
    module.__dict__.update(
        __file__=script,
        __builtins__=sys.modules["builtins"],
        __loader__=loader("__main__", script),
        __cached__=None,
        __annotations__={},
    )
    sys.modules["__main__"] = module
    return module


def _depth() -> int:
    """Frames that are here already and would not be if the script was run alone."""
    depth, frame = int(sys.version_info < (3, 12)), sys._getframe(1)  # exec counted as one
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    return depth


def _print(error: BaseException) -> int:
    """Have the error printed by the hook for that, the script's own if it has set one."""
    kind, trace = type(error), error.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    try:
        sys.excepthook(kind, error, trace)
    except SystemExit as end:
        return _exit_code(end)
    except BaseException as own:  # noqa: BLE001 - as Python does
        sys.stderr.write("Error in sys.excepthook:\n")
        _part(own, error)
        inner = own.__traceback__.tb_next if own.__traceback__ is not None else None
        sys.__excepthook__(type(own), own.with_traceback(inner), inner)
        sys.stderr.write("\nOriginal exception was:\n")
        sys.__excepthook__(kind, error, trace)
    return 1


def _part(error: BaseException, from_: BaseException) -> None:
    """Cut the chain that says during which other exception this one came up."""
    while error.__context__ is not None:
        if error.__context__ is from_:
            error.__context__ = None
            return
        error = error.__context__


def _exit_code(error: SystemExit, notebook: Notebook | None = None) -> int:
    """What sys.exit(...) means: a number, or a text to be printed."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(2**63) <= code < 2**63 else 0xFF
    sys.stdout.flush()
    sys.stderr.write(f"{code}\n")
    if notebook is not None:
        notebook.write({"exit": str(code)[:_MESSAGE_CHARACTERS]})
    return 1


def _facts_of(error: BaseException, trace: TracebackType | None) -> dict[str, str]:
    name = _name_of(type(error))
    line, text = _told(error, trace, name)
    facts = {"exception": name, "message": line[:_MESSAGE_CHARACTERS], "traceback": _cut(text)}
    if isinstance(error, OSError) and isinstance(error.filename, (str, bytes)):
        facts.update(errno=str(error.errno), path=os.fsdecode(error.filename))
    if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str):
        facts.update(module=error.name)
    return facts


def _name_of(kind: type[BaseException]) -> str:
    try:
        module, name = str(kind.__module__), str(kind.__qualname__)
    except BaseException:  # noqa: BLE001 - a metaclass may raise anything
        return "Exception"
    return name if module in ("builtins", "__main__") else f"{module}.{name}"


def _told(error: BaseException, trace: TracebackType | None, name: str) -> tuple[str, str]:
    """(one line, traceback); poor in words where the error or the script's folder is at odds."""
    try:
        import traceback  # noqa: PLC0415 - a script that does not fail has no need of it

        text = "".join(traceback.format_exception(type(error), error, trace))
        last = traceback.format_exception_only(type(error), error)
        lines = [line for part in last for line in part.splitlines()]
        return next((each for each in lines if each.startswith(name)), name), text
    except BaseException as why:  # noqa: BLE001 - exceptions may raise anything when shown
        line = f"{name}: (its text cannot be shown: {type(why).__name__})"
        return line, line + "\n"


def _cut(text: str) -> str:
    dropped = len(text) - _TRACEBACK_CHARACTERS
    if dropped <= 0:
        return text
    head, tail = _TRACEBACK_CHARACTERS // 3, 2 * _TRACEBACK_CHARACTERS // 3
    return f"{text[:head]}\n[... {dropped:,} characters left out ...]\n{text[-tail:]}"


def main() -> None:
    """Entry point in another interpreter; it ends as the script does."""
    _, facts, script, *arguments = sys.argv
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # this file's own folder
    try:
        code = run(script, arguments, facts)
    except KeyboardInterrupt:
        sys.excepthook = lambda *_: None  # it is printed; now die of it
        raise
    sys.exit(code)


if __name__ == "__main__":
    main()
