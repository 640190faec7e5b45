"""What a measuring script needs; standard library only, for it runs in the peers' environments.

A script measures one thing in one fresh process and says the result as its last line of output:
`{"value": 0.042, "samples": [...], "notes": {...}}`.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any


def say(value: float, samples: list[float] | None = None, **notes: Any) -> None:
    """Tell the result; nothing may be printed after it."""
    line = json.dumps({"value": value, "samples": samples or [value], "notes": notes})
    sys.stdout.write("\n" + line + "\n")
    sys.stdout.flush()


def seconds(act: Callable[[], Any]) -> float:
    """How long one call took."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def repeat(act: Callable[[int], Any], *, times: int, warm_ups: int = 1) -> list[float]:
    """Seconds of each call; `act` gets a number that it has not had before."""
    for number in range(warm_ups):
        act(number)
    return [seconds(lambda n=number: act(n)) for number in range(warm_ups, warm_ups + times)]


def say_median(samples: list[float], **notes: Any) -> None:
    say(median(samples), samples, **notes)


def resident_bytes(pids: set[int]) -> int:
    """Sum of resident memory (RSS) of the processes; what they share counts for each."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def cpu_seconds(pid: int) -> float:
    """What the process has spent so far, of its user's time and the kernel's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree(root: int) -> set[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = set(), [root]
    while todo:
        pid = todo.pop()
        found.add(pid)
        todo += children.get(pid, [])
    return found
