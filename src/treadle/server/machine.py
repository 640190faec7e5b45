"""What this machine gives us: processors, as the container sees them, and folders per user."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cpu_count(cgroup: Path = CGROUP) -> int:
    """Processors that we may use: the affinity mask, cut down to the cgroup's quota."""
    available = len(os.sched_getaffinity(0))
    quota = _cgroup_cpus(cgroup)
    return available if quota is None else max(1, min(available, round(quota)))


def _cgroup_cpus(cgroup: Path) -> float | None:
    try:  # version 2: "max 100000" or "150000 100000"
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return int(quota) / int(period)


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`treadle` under XDG_DATA_HOME, else under ~/.local/share."""
    base = environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):  # the XDG specification: relative paths are to be ignored
        base = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".local", "share")
    return Path(base) / "treadle"


def runtime_dir(environ: Mapping[str, str]) -> Path:
    """Where short-lived sockets go: XDG_RUNTIME_DIR, else the folder for temporary files."""
    base = environ.get("XDG_RUNTIME_DIR", "")
    return Path(base if os.path.isdir(base) else tempfile.gettempdir())
