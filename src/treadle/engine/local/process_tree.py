"""Everything about processes and memory that is particular to Linux; nothing else knows /proc.

A tree is a process with all its descendants. Where a parent dies, its children move to the nearest
subreaper above: to the slot while it lives, to the fork server after that. So a tree that has lost
its root is found among the children of the fork server.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Iterator

MARK_VARIABLE = "TREADLE_MARK"  #: in the environment of every process of a data directory
SERVER_VARIABLE = "TREADLE_FORK_SERVER"  #: and which of its fork servers it comes from
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True)
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


def become_subreaper() -> None:
    """From now on orphaned descendants become children of this process."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the thread that forked this process ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def flush_c_buffers() -> None:
    """fflush(NULL): what C code has printed but not yet written."""
    _libc.fflush(None)


def children(pid: int) -> list[int]:
    """Direct children, zombies included; exact for the calling process if single-threaded."""
    found: list[int] = []
    with contextlib.suppress(*_GONE):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(*_GONE), open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    return found


def tree(root: int) -> list[int]:
    """The process and all its descendants, parents first."""
    found = [root]
    for pid in found:
        found += children(pid)
    return found


def send(pids: Iterable[int], number: int) -> None:
    """Signal each process that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def terminate(pids: Iterable[int]) -> None:
    """SIGTERM, to stopped processes too."""
    for pid in pids:
        send((pid,), signal.SIGTERM)
        send((pid,), signal.SIGCONT)


def kill(root: int) -> None:
    """One round of killing a tree, whole process groups first.

    A group is killed at one instant, so that a process that forks in a loop cannot outrun it.
    Repeat until nothing is left: what is born in between belongs to the next round.
    """
    members = tree(root)
    spared = os.getpgrp()
    for group in {_group_of(pid) for pid in members} - {spared, 0}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    send(members, signal.SIGKILL)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def private_bytes(pid: int) -> int:
    """Resident memory less what is shared with files or other processes; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared, *_ = file.read().split()
    except _GONE:
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES


def tree_bytes(root: int) -> int:
    """Private memory of a whole tree."""
    return sum(private_bytes(pid) for pid in tree(root))


def ancestors(pid: int) -> set[int]:
    """The process itself and those above it."""
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        pid = _parent_of(pid)
    return found


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except _GONE:
        return 0


def marked(mark: str, variable: str = MARK_VARIABLE) -> Iterator[int]:
    """Processes that carry the mark in the environment they were started with."""
    wanted = f"{variable}={mark}".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(*_GONE, OSError), open(f"/proc/{name}/environ", "rb") as file:
            if wanted in file.read().split(b"\0"):
                yield int(name)


def sweep(
    mark: str,
    spare: Collection[int] = (),
    wait_seconds: float = 5.0,
    variable: str = MARK_VARIABLE,
) -> list[int]:
    """Kill every process with the mark until none is left; return those that will not go.

    Never this process or those above it. spare: further processes to leave alone.
    """
    spared = ancestors(os.getpid()) | set(spare)
    deadline = time.monotonic() + wait_seconds
    clear = 0
    while clear < 2:  # a process in the middle of an exec shows no environment: look twice
        left = [pid for pid in marked(mark, variable) if pid not in spared]
        if left and time.monotonic() > deadline:
            return left
        send(left, signal.SIGKILL)
        clear = 0 if left else clear + 1
        time.sleep(0.002)
    return []


def oom_kills() -> int:
    """How often the kernel has killed for want of memory, in this control group if it tells."""
    for path in _oom_files():
        with contextlib.suppress(OSError, ValueError), open(path) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _oom_files() -> Iterator[str]:
    for kind, folder in _memory_groups():
        yield f"{folder}/{'memory.events' if kind == 2 else 'memory.oom_control'}"
    yield "/proc/vmstat"


def _groups() -> Iterator[tuple[str, str]]:
    """(controllers, path) of each control group this process is in; controllers "" is v2."""
    with contextlib.suppress(OSError), open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            yield controllers, path


def _memory_groups() -> Iterator[tuple[int, str]]:
    """(version, folder) of this process's memory groups, innermost first; containers see "/"."""
    for controllers, path in _groups():
        if "memory" in controllers.split(","):
            version, base = 1, "/sys/fs/cgroup/memory"
        elif not controllers:
            version, base = 2, "/sys/fs/cgroup"
        else:
            continue
        while path != "/":
            yield version, base + path
            path = os.path.dirname(path)
        yield version, base


def total_memory_bytes() -> int:
    """Physical memory, or the limit of the control group where that is lower."""
    total = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    for version, folder in _memory_groups():
        name = "memory.max" if version == 2 else "memory.limit_in_bytes"
        with contextlib.suppress(OSError, ValueError), open(f"{folder}/{name}") as file:
            total = min(total, int(file.read()))
    return total


def total_cpus() -> float:
    """Cores this process may use: its affinity, or the quota of its control group if lower."""
    cpus = float(len(os.sched_getaffinity(0)))
    for quota, period in _cpu_quotas():
        if quota > 0 < period:
            cpus = min(cpus, quota / period)
    return cpus


def _cpu_quotas() -> Iterator[tuple[int, int]]:
    for controllers, path in _groups():
        base = "/sys/fs/cgroup/cpu" if "cpu" in controllers.split(",") else "/sys/fs/cgroup"
        if controllers and base == "/sys/fs/cgroup":
            continue
        for folder in dict.fromkeys((base + path.rstrip("/"), base)):
            with contextlib.suppress(OSError, ValueError):
                if controllers:
                    yield (
                        _number(f"{folder}/cpu.cfs_quota_us"),
                        _number(f"{folder}/cpu.cfs_period_us"),
                    )
                else:
                    with open(f"{folder}/cpu.max") as file:
                        quota, period = file.read().split()
                        yield int(quota), int(period)


def _number(path: str) -> int:
    with open(path) as file:
        return int(file.read())


def require_linux() -> None:
    """Raises RuntimeError elsewhere, saying so."""
    if sys.platform != "linux":
        raise RuntimeError(
            "The local engine needs Linux: it relies on prctl, /proc and subreapers."
        )
