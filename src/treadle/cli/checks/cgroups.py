"""The limits of the control group that this process is in: memory, processors, processes.

Version 2 has one tree of groups, version 1 one for each controller. A limit holds for all that is
below it, so the smallest on the way up counts. Source: cgroup-v2.rst and cgroup-v1 of the kernel.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

N = TypeVar("N", int, float)
ROOT, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
UNLIMITED = 1 << 60  #: version 1 says so with a number of about 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None: no limit."""

    memory_bytes: int | None = None
    cpus: float | None = None
    processes: int | None = None


def limits(root: Path = ROOT, membership: Path = MEMBERSHIP) -> Limits:
    """The limits that hold for this process."""
    groups = dict(_groups(membership))
    return Limits(
        memory_bytes=_least(
            _number(folder / name)
            for folder, name in _files(
                root, groups, "memory", "memory.max", "memory.limit_in_bytes"
            )
        ),
        cpus=_least(_cpus(folder) for folder, _ in _files(root, groups, "cpu", "", "")),
        processes=_least(
            _number(folder / name)
            for folder, name in _files(root, groups, "pids", "pids.max", "pids.max")
        ),
    )


def _groups(membership: Path) -> Iterator[tuple[str, str]]:
    """(controller, path); controller "" of version 2. Lines: "4:cpu,cpuacct:/path"."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            yield controller, path


def _files(
    root: Path, groups: dict[str, str], controller: str, new: str, old: str
) -> Iterator[tuple[Path, str]]:
    """(folder, file) of each group from ours to the top, of both versions."""
    for folder in _upwards(root, groups.get("", "/")):
        yield folder, new
    for folder in _upwards(root / controller, groups.get(controller, "/")):
        yield folder, old


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """In a container the path may be that of the host, where our group is the root."""
    parts = [part for part in path.split("/") if part and part != ".."]
    for length in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:length])


def _number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < UNLIMITED else None


def _cpus(folder: Path) -> float | None:
    try:  # version 2: "max 100000" or "150000 100000"
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        quota = str(_number(folder / "cpu.cfs_quota_us"))
        period = str(_number(folder / "cpu.cfs_period_us"))
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return int(quota) / int(period)


def _least(found: Iterable[N | None]) -> N | None:
    return min((each for each in found if each is not None), default=None)
