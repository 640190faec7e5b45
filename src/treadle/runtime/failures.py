"""Exceptions as text: what the user's code raised, told without needing the user's classes."""

import contextlib
import errno
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from types import FrameType

from treadle.errors import CodecError, StorageFull, TreadleError
from treadle.model.records import Failure, FailureType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARY = os.path.dirname(os.__file__)
_OURS = (
    *(os.path.join(_PACKAGE, room, "") for room in ("runtime", "codecs", "storage")),
    *(os.path.join(_LIBRARY, package, "") for package in ("asyncio", "importlib")),
    "<frozen importlib",
    "<frozen runpy",
)  #: where frames come from that are not the user's
_MESSAGE_CHARACTERS, _HEAD_CHARACTERS, _TAIL_CHARACTERS = 500, 16_000, 32_000
_FORMAT_SECONDS = 2.0


class Terminated(BaseException):
    """SIGTERM arrived: raised in the user's code, so that its `finally` blocks run."""


class Stop(Exception):
    """The order is over, with this failure."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


class _TooSlowError(BaseException):
    """An exception's own __str__ or __repr__ does not come to an end."""


def failure_of(error: BaseException, type_: FailureType = FailureType.USER) -> Failure:
    """The failure that the exception stands for. Never raises, whatever the exception does."""
    line, text = _told(error)
    return Failure(
        type=type_,
        message=_clean(line),
        exception=_name_of(error),
        traceback=_clean(_cut(text)),
        hint=_hint_for(error),
    )


def storing_failure(error: TreadleError) -> Failure:
    """The failure of a step whose result could not be kept."""
    if isinstance(error, CodecError):
        return Failure(
            type=FailureType.USER, message=_clean(error.message), exception=_name_of(error),
            hint=_clean(error.hint),
        )  # fmt: skip
    hint = error.hint
    if isinstance(error, StorageFull) and not hint:
        hint = "Make room on the disk that holds the data directory (`treadle gc`), then retry."
    return Failure(
        type=FailureType.INTERNAL, message=_clean(error.message), exception=_name_of(error),
        hint=_clean(hint),
    )  # fmt: skip


def _told(error: BaseException) -> tuple[str, str]:
    """(one line, traceback) as Python prints them, with the user's frames only."""
    try:
        with _time_limit():
            told = traceback.TracebackException(
                type(error), error, error.__traceback__, compact=True
            )
            _leave_out_ours(told)
            if isinstance(error, TreadleError) and not told.stack:
                return _one_line(error, told), ""  # no line of the user's is to blame
            return _one_line(error, told), "".join(told.format())
    except BaseException as why:  # noqa: BLE001 - exceptions may lie, hang or raise in any way
        line = f"{_name_of(error)}: (its text cannot be shown: {_name_of(why)})"
        return line, line + "\n"


def _leave_out_ours(told: traceback.TracebackException) -> None:
    seen: set[int] = set()
    todo: list[traceback.TracebackException | None] = [told]
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        kept = [frame for frame in each.stack if not frame.filename.startswith(_OURS)]
        each.stack = traceback.StackSummary.from_list(kept)
        todo += [each.__cause__, each.__context__, *(each.exceptions or ())]


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Interrupt Python code that takes too long; only possible in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _FORMAT_SECONDS, 0.2)  # again if it was swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _one_line(error: BaseException, told: traceback.TracebackException) -> str:
    if isinstance(error, SystemExit):
        return f"The function called sys.exit({_exit_text(error)})."
    name = _name_of(error)
    if isinstance(error, TreadleError):
        return error.message.partition("\n")[0][:_MESSAGE_CHARACTERS]
    lines = [line for text in told.format_exception_only() for line in text.splitlines()]
    line = next((line for line in lines if line.startswith(name)), name)
    return line if len(line) <= _MESSAGE_CHARACTERS else line[: _MESSAGE_CHARACTERS - 3] + "..."


def _exit_text(error: SystemExit) -> str:
    return repr(error.code)[:100] if type(error.code) in (int, str) else "..."


def _name_of(error: BaseException) -> str:
    """The class's qualified name, builtins without their module."""
    kind = type(error)
    try:
        module, name = str(kind.__module__), str(kind.__qualname__)
    except BaseException:  # noqa: BLE001 - a metaclass may raise anything
        return "Exception"
    return _clean(name if module in ("builtins", "__main__") else f"{module}.{name}")


def _cut(text: str) -> str:
    dropped = len(text) - _HEAD_CHARACTERS - _TAIL_CHARACTERS
    if dropped <= 0:
        return text
    note = f"\n[... {dropped:,} characters left out ...]\n"
    return text[:_HEAD_CHARACTERS] + note + text[-_TAIL_CHARACTERS:]


def _clean(text: str) -> str:
    """Without lone surrogates, which no JSON reader has to accept."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _hint_for(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str):
        return hint_for_module(error.name)
    if isinstance(error, TreadleError):
        return _clean(error.hint)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk the code writes to is full: make room, then retry."
    return ""


def hint_for_module(name: str) -> str:
    """What to do about a module that is not there."""
    top = _clean(name.partition(".")[0])
    return (
        f"Install the package that provides {top!r} in the environment that runs the job; if "
        f"{top!r} is a file of yours, it must lie where the pipeline's imports start, and what "
        "git ignores goes along only if `.treadleignore` takes it in."
    )
