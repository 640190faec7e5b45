"""The fork server: a small single-threaded process that forks slots and proves that they are gone.

It is exec'd with one end of a control socket (SOCK_SEQPACKET, one JSON array per packet) and never
imports user code. The owner asks:
["fork", slot, cpus] with the far ends of the slot's line and two output pipes (SCM_RIGHTS);
["watch", slot, limit in bytes or null] its tree's memory; ["end", slot, grace in seconds, why].
The fork server tells: ["ready", pid, tag of its Python]; ["preload", module, why it was left out];
["failed", slot, why]; ["gone", slot, {...}], which is said when the slot and all that descended
from it are dead. It ends when its owner does.
"""

import contextlib
import errno
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from treadle.engine.local import preload, process_tree, slot

SAMPLE_SECONDS = 0.05
_TICK_SECONDS = 0.004
_CLOSED_GRACE_SECONDS = 0.5  #: for a slot whose line is closed to end by itself
_ORPHAN_GRACE_SECONDS = 0.3  #: for what a crashed slot left, such as trackers of shared memory
_LAST_GRACE_SECONDS = 0.5  #: for slots to put their things away when the owner is gone


@dataclass(slots=True)
class Child:
    """A slot as its fork server sees it."""

    number: int
    pid: int
    limit_bytes: int | None = None
    peak_bytes: int = 0
    kill_at: float | None = None
    why: str = ""  #: why it was ended; "closed" if its line was; "" if it died by itself
    status: int | None = None  #: as wait() tells; None while it lives
    out_of_memory: bool = False
    orphans: set[int] = field(default_factory=set)


class ForkServer:
    def __init__(self, control: socket.socket, owner: int) -> None:
        self._control, self._owner = control, owner
        self._pid = os.getpid()
        self._children: dict[int, Child] = {}  # by slot number
        self._by_pid: dict[int, Child] = {}  # those alive
        self._known_orphans: set[int] = set()
        self._next_sample = 0.0
        self._oom_kills = process_tree.oom_kills()
        self._poll = select.poll()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._owner_fd = os.pidfd_open(owner)
        for fd in (control.fileno(), self._wake_read, self._owner_fd):
            self._poll.register(fd, select.POLLIN)

    def run(self, left_out: Mapping[str, str]) -> None:
        """Serve until the owner is gone, then end everything. left_out: of what was to be
        preloaded, with the reason."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._tell("ready", self._pid, sys.implementation.cache_tag)
        for module, why in left_out.items():
            self._tell("preload", module, why)
        while self._turn():
            self._reap()
            self._enforce()
            self._clear()
        self._end_everything()

    def _turn(self) -> bool:
        """Wait for something to do; False when the owner is gone."""
        ready = {fd for fd, _ in self._poll.poll(self._patience_ms())}
        if self._owner_fd in ready:
            return False
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        return self._control.fileno() not in ready or self._take_request()

    def _patience_ms(self) -> float | None:
        alive = self._by_pid.values()
        if len(alive) < len(self._children) or any(child.kill_at is not None for child in alive):
            return _TICK_SECONDS * 1000
        return SAMPLE_SECONDS * 1000 if any(child.limit_bytes for child in alive) else None

    # requests

    def _take_request(self) -> bool:
        flags = socket.MSG_CMSG_CLOEXEC
        try:
            data, fds, _, _ = socket.recv_fds(self._control, 65536, 3, flags)
        except OSError:
            return False
        if not data:
            return False
        verb, number, *rest = json.loads(data)
        if verb == "fork":
            self._fork(number, rest[0], fds)
        elif (child := self._children.get(number)) is not None:
            if verb == "watch":
                child.limit_bytes, child.peak_bytes = rest[0], 0
            else:
                self._end(child, rest[0], rest[1])
        return True

    def _fork(self, number: int, cpus: float, fds: list[int]) -> None:
        try:
            if len(fds) != 3:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            self._oom_kills = process_tree.oom_kills()
            pid = os.fork()
        except OSError as error:
            self._tell("failed", number, f"A process cannot be started: {error.strerror}.")
            return
        else:
            if pid == 0:
                self._become_slot(fds, cpus)
            self._children[number] = self._by_pid[pid] = Child(number, pid)
        finally:
            for fd in fds:
                os.close(fd)

    def _become_slot(self, fds: list[int], cpus: float) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (self._wake_read, self._wake_write, self._owner_fd):
            os.close(fd)
        self._control.close()
        slot.run(*fds, server=self._pid, cpus=cpus)

    def _end(self, child: Child, grace: float, why: str) -> None:
        """SIGTERM to the tree now, SIGKILL after the grace; a later request may only hasten it."""
        at = time.monotonic() + grace
        if child.status is not None:
            return
        if grace > 0 and child.kill_at is None:
            # A slot that is no longer needed takes leave of its helpers by itself.
            members = [child.pid] if why == "retired" else process_tree.tree(child.pid)
            process_tree.terminate(members)
        if why == "closed":  # it may be ending by itself: that is told if it does
            at, why = time.monotonic() + _CLOSED_GRACE_SECONDS, ""
        child.kill_at = at if child.kill_at is None else min(at, child.kill_at)
        child.why = child.why or why

    # watching

    def _enforce(self) -> None:
        """Kill what is over its time or its memory."""
        now = time.monotonic()
        sample = now >= self._next_sample
        if sample:
            self._next_sample = now + SAMPLE_SECONDS
        for child in self._by_pid.values():
            if sample and child.limit_bytes:
                used = process_tree.tree_bytes(child.pid)
                child.peak_bytes = max(child.peak_bytes, used)
                if used > child.limit_bytes:
                    child.why, child.kill_at = child.why or "memory", now
            if child.kill_at is not None and now >= child.kill_at:
                child.why = child.why or "closed"
                process_tree.kill(child.pid)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                self._known_orphans.discard(pid)
                child = self._by_pid.pop(pid, None)
                if child is not None:
                    child.status = status
                    child.peak_bytes = child.peak_bytes or usage.ru_maxrss * 1024
                    child.out_of_memory = self._killed_by_kernel(child)

    def _killed_by_kernel(self, child: Child) -> bool:
        if not child.why and child.status == signal.SIGKILL:
            before, self._oom_kills = self._oom_kills, process_tree.oom_kills()
            return self._oom_kills > before
        return False

    def _clear(self) -> None:
        """Kill what dead slots left behind; tell of each slot of which nothing is left."""
        dead = [child for child in self._children.values() if child.status is not None]
        if not dead:
            return
        self._orphans(dead)
        now = time.monotonic()
        for child in dead:
            if child.kill_at is None:
                child.kill_at = now + _ORPHAN_GRACE_SECONDS
            if now >= child.kill_at:
                for orphan in child.orphans & self._known_orphans:
                    process_tree.kill(orphan)
        self._reap()
        left = self._orphans(dead)
        for child in dead:
            if not child.orphans & left:
                self._tell_gone(child)
                del self._children[child.number]

    def _orphans(self, dead: list[Child]) -> set[int]:
        """Children of this process that are no slots. New ones may be of any slot now dead."""
        found = {pid for pid in process_tree.children(self._pid) if pid not in self._by_pid}
        new = found - self._known_orphans
        self._known_orphans = found
        for child in dead:
            child.orphans |= new
        process_tree.terminate(new)
        return found

    def _tell_gone(self, child: Child) -> None:
        status = child.status or 0
        facts: dict[str, Any] = {
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "why": child.why,
            "peak_bytes": child.peak_bytes,
            "out_of_memory": child.out_of_memory,
        }
        self._tell("gone", child.number, facts)

    def _tell(self, *message: Any) -> None:
        with contextlib.suppress(OSError):  # the owner is gone: the loop finds out
            self._control.send(json.dumps(message).encode())

    def _end_everything(self) -> None:
        """End all children, and theirs as they become ours, until there are none."""
        began = time.monotonic()
        process_tree.terminate(self._by_pid)
        while (passed := time.monotonic() - began) < _LAST_GRACE_SECONDS + 10:
            if passed > _LAST_GRACE_SECONDS:
                for pid in process_tree.children(self._pid):
                    process_tree.kill(pid)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.001)


def main(given: dict[str, Any]) -> None:
    """Entry point of the process: arguments are the control descriptor and the owner's pid.

    given: what else it was told; here the modules to `preload`.
    """
    fd, owner = int(sys.argv[1]), int(sys.argv[2])
    process_tree.become_subreaper()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the owner's thread may have blocked some
    os.set_inheritable(fd, False)
    sys.argv = [""]
    left_out = preload.load(given, fd) if given["preload"] or "left_out" in given else {}
    gc.freeze()  # forks then share these pages
    gc.enable()
    ForkServer(socket.socket(fileno=fd), owner).run(left_out)
