"""What a job used of this process: processor time and memory."""

import os
import resource
from typing import NamedTuple

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """Counters of the process with its ended children, at one moment."""

    cpu_seconds: float
    highest_bytes: int  #: resident memory at its highest since the process began

    @classmethod
    def now(cls) -> "Usage":
        own = resource.getrusage(resource.RUSAGE_SELF)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
        return cls(seconds, own.ru_maxrss * 1024)

    def since(self, before: "Usage") -> tuple[float, int]:
        """(cpu seconds, peak memory in bytes) between two moments.

        Where the process once was larger than now, its present size stands for the peak.
        """
        grown = self.highest_bytes > before.highest_bytes
        peak = self.highest_bytes if grown else resident_bytes()
        return max(0.0, self.cpu_seconds - before.cpu_seconds), peak


def resident_bytes() -> int:
    """Resident memory of this process, shared pages included."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE_BYTES
