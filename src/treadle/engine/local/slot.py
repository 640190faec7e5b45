"""The main loop of a slot: the process, forked by the fork server, that performs orders."""

import atexit
import json
import os
import signal
import socket
import sys
import threading
from types import FrameType
from typing import Any, NoReturn

from treadle.engine.local import endings, frames, preload, process_tree
from treadle.engine.local.job_state import ProcessState, limit_threads, open_streams
from treadle.model.orders import Order, Report
from treadle.runtime.failures import Terminated
from treadle.runtime.perform import perform
from treadle.runtime.usage import resident_bytes

_READ_BYTES = 256 * 1024


class Slot:
    """Reads orders from the line, performs them one by one, sends notes up. A Channel too."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._fresh = True
        self._mask: set[int] = set()
        self._interruptible = self._sending = self._terminated = False
        signal.signal(signal.SIGTERM, self._on_sigterm)
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_fork,
            after_in_child=self._after_fork_in_child,
        )
        self._state = ProcessState()

    # channel

    def started(self) -> None:
        if self._fresh:  # the owner says it for a warm slot, as soon as it sends the order
            self._fresh = False
            self._send(["s", self._pid])

    def metric(self, name: str, value: float, step: int | None) -> None:
        self._send(["m", name, frames.number(value), step])

    def progress(self, done: float, total: float | None) -> None:
        whole = None if total is None else frames.number(total)
        self._send(["p", frames.number(done), whole])

    # loop

    def serve(self) -> None:
        """Perform orders until the owner closes the line, or a job leaves something behind."""
        reader = frames.Frames()
        while data := self._receive():
            for payload in reader.feed(data):
                if not self._perform(Order.from_wire(json.loads(payload))):
                    return

    def _receive(self) -> bytes:
        self._interruptible = True
        try:
            return self._line.recv(_READ_BYTES)
        except OSError:
            os._exit(frames.LINE_LOST)
        finally:
            self._interruptible = False

    def _perform(self, order: Order) -> bool:
        """Carry out one order; False if this process cannot serve another."""
        self._state.enter({**order.variables, **order.secrets}, order.code.project_dir)
        try:
            self._interruptible = True
            report = _performed(order, self)
            self._interruptible = False
        except Terminated:
            report = Report(outcome="aborted")
        if os.getpid() != self._pid:  # a child that the job forked came back out of its function
            sys.stdout.flush()
            os._exit(0)
        self._interruptible = False
        return self._end(report)

    def _end(self, report: Report) -> bool:
        """Leave nothing of the job behind, then say that it is over."""
        try:
            self._state.restore()
        except OSError:  # our copies of the standard streams were closed
            os._exit(frames.LINE_LOST)
        process_tree.flush_c_buffers()
        left = _left_behind()
        self._send(["e", report.to_wire(), left, resident_bytes()])
        return not left and report.outcome != "aborted"

    def _send(self, message: Any) -> None:
        data = frames.encode(message)
        on_main = threading.current_thread() is threading.main_thread()
        with self._lock:
            self._sending = on_main
            try:
                self._line.sendall(data)
            except OSError:
                os._exit(frames.LINE_LOST)
            finally:
                self._sending = False
        if on_main and self._terminated and self._interruptible:
            raise Terminated

    # signals

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True
        if self._interruptible and not self._sending:  # never cut a frame in two
            raise Terminated

    def _before_fork(self) -> None:
        """Hold SIGTERM back: Python would forget one that came before the child is set up."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))

    def _after_fork(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _after_fork_in_child(self) -> None:
        """In a child of the job SIGTERM ends it, as it ends any process."""
        if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._after_fork()


def _performed(order: Order, slot: Slot) -> Report:
    """A function dies with its slot, which the fork server looks into; a script without it."""
    if order.kind != "script":
        return perform(order, slot)
    before = process_tree.oom_kills()
    report = perform(order, slot)
    certificate = report.failure.certificate if report.failure else None
    if certificate is None or certificate.signal != signal.SIGKILL:
        return report
    killed = process_tree.oom_kills() > before
    return endings.child_killed_by_kernel(report) if killed else report


def _left_behind() -> str:
    """What a job left running in this process, in words; "" if nothing."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return "children"
    except ChildProcessError:
        pass
    return "threads" if len(sys._current_frames()) > 1 else ""


def run(line_fd: int, out_fd: int, err_fd: int, *, server: int, cpus: float) -> NoReturn:
    """Become a slot in a freshly forked process; never returns."""
    code = 1
    try:
        os.setsid()
        process_tree.become_subreaper()
        process_tree.die_with(server)
        os.dup2(out_fd, 1)
        os.dup2(err_fd, 2)
        os.close(out_fd)
        os.close(err_fd)
        sys.stdout, sys.stderr = open_streams()
        limit_threads(cpus)
        preload.raise_threads(cpus)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        Slot(socket.socket(fileno=line_fd)).serve()
        code = 0
    except Terminated:
        code = 128 + signal.SIGTERM
    finally:
        _leave(code)


def _put_away() -> None:
    """What the interpreter does at its end: pools are shut down, temporary files removed.

    Killing the helpers of joblib or multiprocessing instead would leave shared memory behind. The
    fork server sees to it that this does not take long.
    """
    shut_down = getattr(threading, "_shutdown", None)
    if shut_down is not None:
        shut_down()
    atexit._run_exitfuncs()


def _leave(code: int) -> NoReturn:
    """End the process here and now, telling of an error of our own in the job's output."""
    try:
        if code == 1:
            sys.excepthook(*sys.exc_info())
        _put_away()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
