"""Python, platform, memory, processors, slots, and what the system allows."""

import os
import platform
import resource
import sys
from collections.abc import Iterator

import treadle
from treadle.cli import printing
from treadle.cli.checks.cgroups import Limits, limits
from treadle.cli.checks.finding import Finding, broken, doubtful, good
from treadle.server.settings import Settings

LEAST_PYTHON = (3, 11)
LEAST_MEMORY_PER_SLOT = 256 * 10**6
FILES_PER_SLOT, FILES_BESIDE = 16, 128  #: descriptors of the owner
PROCESSES_PER_SLOT, PROCESSES_BESIDE = 8, 16


def examine(settings: Settings) -> Iterator[Finding]:
    found = limits()
    yield good("treadle", treadle.__version__)
    yield _python()
    yield _platform()
    yield _memory(settings.slots, found)
    yield _processors(settings.slots, found)
    yield _open_files(settings.slots)
    yield _processes(settings.slots, found)


def _python() -> Finding:
    says = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] >= LEAST_PYTHON:
        return good("python", says)
    return broken("python", says, "Treadle needs Python 3.11 or newer.")


def _platform() -> Finding:
    says = f"{platform.system()} {platform.release()} {platform.machine()}"
    if sys.platform == "linux":
        return good("platform", says)
    hint = "Linux is supported; on others use a container or a virtual machine."
    return broken("platform", says, hint)


def _memory(slots: int, found: Limits) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    usable = total if found.memory_bytes is None else min(total, found.memory_bytes)
    says = printing.size(total)
    if usable < total:
        says += f", of which the control group may use {printing.size(usable)}"
    each = usable // slots
    says += f"; {printing.size(each)} for each of {slots} slots"
    if each >= LEAST_MEMORY_PER_SLOT:
        return good("memory", says)
    hint = "Set TREADLE_SLOTS lower, or give steps a memory limit so that they fail alone."
    return doubtful("memory", says, hint)


def _processors(slots: int, found: Limits) -> Finding:
    usable: float = len(os.sched_getaffinity(0))
    says = f"{usable} of {os.cpu_count()} usable"
    if found.cpus is not None and found.cpus < usable:
        usable = found.cpus
        says += f", of which the control group may use {usable:g}"
    says += f"; {slots} slots"
    if slots <= 2 * max(1.0, usable):
        return good("processors", says)
    hint = "More slots than processors make each job slower; set TREADLE_SLOTS lower."
    return doubtful("processors", says, hint)


def _open_files(slots: int) -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_BESIDE + FILES_PER_SLOT * slots
    says = f"{_limit(soft)} at a time (ulimit -n)"
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return good("open files", says)
    hint = f"{slots} slots want {needed}: ulimit -n {needed} (at most {_limit(hard)} here)."
    return doubtful("open files", says, hint)


def _processes(slots: int, found: Limits) -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    needed = PROCESSES_BESIDE + PROCESSES_PER_SLOT * slots
    says = f"{_limit(soft)} of this user (ulimit -u)"
    least = soft if soft != resource.RLIM_INFINITY else needed
    if found.processes is not None:
        says += f", {found.processes} in this control group"
        least = min(least, found.processes)
    if least >= needed:
        return good("processes", says)
    return doubtful("processes", says, f"{slots} slots want {needed}; raise it or use fewer slots.")


def _limit(value: int) -> str:
    return "no limit" if value == resource.RLIM_INFINITY else str(value)
