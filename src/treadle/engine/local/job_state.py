"""What a job may change in its process, as it was, to be put back before the next job."""

import _signal  # type: ignore[import-not-found] # its getsignal makes no enums: 10 x faster
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

_BLAS_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
)
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


def limit_threads(cpus: float) -> None:
    """Let numeric libraries use as many threads as the job has cores; before they are imported."""
    for name in _BLAS_VARIABLES:
        os.environ[name] = str(max(1, int(cpus)))


class ProcessState:
    """Taken once per slot; `restore` undoes what a job did to it. Cheap where nothing changed."""

    def __init__(self) -> None:
        self._environ = dict(_environment())
        self._cwd = os.getcwd()
        self._argv = list(sys.argv)
        self._path = list(sys.path)
        self._umask = _umask()
        self._handlers = [(int(number), _signal.getsignal(number)) for number in _SIGNALS]
        self._root = logging.getLogger()
        self._logging = list(self._root.handlers), self._root.level, logging.root.manager.disable
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._hooks = sys.excepthook, threading.excepthook, sys.displayhook
        self._copies = tuple((fd, os.dup(fd), _identity(fd)) for fd in (0, 1, 2))

    def enter(self, variables: Mapping[str, str], folder: str) -> None:
        """Set the job's variables, and its working directory if that can be entered."""
        if variables:
            os.environ.update(variables)
        if folder and folder != self._cwd:
            with contextlib.suppress(OSError):
                os.chdir(folder)

    def restore(self) -> None:
        """Put everything back."""
        self._restore_signals()
        self._restore_files()
        self._restore_environment()
        self._restore_logging()
        sys.excepthook, threading.excepthook, sys.displayhook = self._hooks

    def _restore_signals(self) -> None:
        now = _signal.getsignal
        for number, handler in self._handlers:
            if now(number) != handler and handler is not None:
                signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if signal.pthread_sigmask(signal.SIG_BLOCK, ()):
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _restore_files(self) -> None:
        """Standard streams, on the Python level and below, though the job closed or moved them."""
        for stream in {sys.stdout, sys.stderr} - set(self._streams):
            _flush(stream)
        for fd, copy, identity in self._copies:
            if _identity(fd) != identity:
                os.dup2(copy, fd)
        _, out, err = sys.stdin, sys.stdout, sys.stderr = self._streams
        if not (_usable(out) and _usable(err)):
            self._streams = sys.stdin, *open_streams()
            sys.stdout, sys.stderr = self._streams[1:]
        _flush(sys.stdout)
        _flush(sys.stderr)

    def _restore_environment(self) -> None:
        if _environment() != self._environ:
            for name in [name for name in os.environb if name not in self._environ]:
                del os.environb[name]
            os.environb.update(self._environ)
        if sys.argv != self._argv:
            sys.argv = list(self._argv)
        if sys.path != self._path:
            sys.path[:] = self._path
        if _working_directory() != self._cwd:
            os.chdir(self._cwd)
        if _umask() != self._umask:
            os.umask(self._umask)

    def _restore_logging(self) -> None:
        handlers, level, disabled = self._logging
        if self._root.handlers != handlers:
            for handler in [each for each in self._root.handlers if each not in handlers]:
                self._root.removeHandler(handler)
            self._root.handlers[:] = handlers
        if self._root.level != level:
            self._root.setLevel(level)
        logging.root.manager.disable = disabled


def open_streams() -> tuple[Any, Any]:
    """Text streams on descriptors 1 and 2, live line by line, that never fail to encode."""
    out = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    err = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    faulthandler.enable(err)
    return out, err


def _environment() -> Mapping[bytes, bytes]:
    """The variables as the dict below os.environ, which compares twenty times faster."""
    data: Mapping[bytes, bytes] = getattr(os.environ, "_data", os.environb)
    return data


def _flush(stream: Any) -> None:
    with contextlib.suppress(Exception):  # a stream of the user's own may do anything
        stream.flush()


def _usable(stream: Any) -> bool:
    try:
        return not stream.closed
    except ValueError:  # detached from its buffer
        return False


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # the job removed it
        return ""


def _umask() -> int:
    """The present umask; it can only be read by setting it."""
    mask = os.umask(0o77)
    os.umask(mask)
    return mask
