"""A script's process: a fork of the slot, or another program; supervised until it is gone.

The slot stays clean, single-threaded and deaf to what the script does: the child is a session of
its own, and neither its signals nor its descriptors are the slot's.
"""

import ctypes
import errno
import os
import select
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from treadle.runtime.notes import Notes

_SIGNAL_INFO = struct.Struct("<Iiii112x")  #: struct signalfd_siginfo: number, errno, code, pid
_SFD_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)  #: that Python ignores, and ignoring survives exec
_libc = ctypes.CDLL(None, use_errno=True)
Become = Callable[[], None]  #: turns the child into the script; raises OSError if it cannot


class End(NamedTuple):
    """How the child ended. terminated: somebody asked this slot to end what it does."""

    exit_code: int | None
    signal: int | None
    peak_bytes: int
    terminated: bool


def perform(become: Become, folder: str, notes: Notes) -> End:
    """Run the script to its end. Raises OSError if it cannot be started."""
    with _sigterm_held_back():
        pid = _started(become, folder)
        try:
            terminated = _supervise(pid, notes)
            _, status, usage = os.wait4(pid, 0)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
    _reap()
    code = os.waitstatus_to_exitcode(status)
    return End(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        peak_bytes=usage.ru_maxrss * 1024,
        terminated=terminated,
    )


@contextmanager
def _sigterm_held_back() -> Iterator[None]:
    """SIGTERM is read like a message meanwhile: it must not cut supervision in two."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _started(become: Become, folder: str) -> int:
    """Fork; the child's pid once it is the script, or the OSError that kept it from that."""
    sys.stdout.flush()
    sys.stderr.flush()
    said, tell = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
    except OSError:
        os.close(said)
        os.close(tell)
        raise
    if pid == 0:
        _become(become, folder, tell)
    os.close(tell)
    with open(said, "rb") as file:
        number = file.read()
    if number:
        os.waitpid(pid, 0)
        raise OSError(int(number), os.strerror(int(number)))
    return pid


def _become(become: Become, folder: str, tell: int) -> NoReturn:
    """In the child: tell why it cannot be started, by the error's number."""
    try:
        os.setsid()
        _fresh_signals()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.chdir(folder)
        become()
    except OSError as error:
        os.write(tell, str(error.errno or errno.EIO).encode())
    except BaseException:  # noqa: BLE001 - of our own making: told in the step's output
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(127)


def _fresh_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _supervise(pid: int, notes: Notes) -> bool:
    """Forward notes until the child is dead; whether this process was asked to end."""
    terminated = False
    child, asked = os.pidfd_open(pid), _signal_fd(signal.SIGTERM)
    try:
        if _sender(asked) is not None:  # perhaps sent before there was a child to send it to
            terminated = True
            os.kill(pid, signal.SIGTERM)
        poll = select.poll()
        for fd in (child, asked, notes.fd):
            poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if notes.fd in ready:
                notes.forward()
            if asked in ready and (sender := _sender(asked)) is not None:
                terminated = True
                if sender != os.getppid():  # the fork server tells the whole tree
                    os.kill(pid, signal.SIGTERM)
            if child in ready:
                return terminated or _sender(asked) is not None
    finally:
        os.close(child)
        os.close(asked)


def _signal_fd(number: int) -> int:
    """A descriptor to read a blocked signal from (signalfd), as it tells who sent it."""
    mask = ctypes.create_string_buffer(128)  # sizeof(sigset_t)
    _libc.sigemptyset(mask)
    _libc.sigaddset(mask, number)
    fd: int = _libc.signalfd(-1, mask, _SFD_FLAGS)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "signalfd failed")
    return fd


def _sender(fd: int) -> int | None:
    """Which process sent the signal; None if there was none."""
    try:
        _, _, _, pid = _SIGNAL_INFO.unpack(os.read(fd, _SIGNAL_INFO.size))
    except BlockingIOError:
        return None
    return int(pid)


def _reap() -> None:
    """Bury what died of the script's orphans; those alive are found by the slot."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def execute(path: str, argv: list[str], variables: Mapping[str, str]) -> Become:
    """To become another program."""

    def become() -> None:
        for number in _RESTORED:
            signal.signal(number, signal.SIG_DFL)
        os.execve(path, argv, variables)

    return become
