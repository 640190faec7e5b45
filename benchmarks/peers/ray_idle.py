"""Ray: resident memory of a local cluster with two warm workers and its driver, idle."""

import os
import time
from pathlib import Path

import ray

import ray_here
from benchmarks.timing import resident_bytes, say, tree


@ray.remote
def who() -> int:
    time.sleep(0.5)
    return os.getpid()


def of_session(session: str) -> set[int]:
    """Ray detaches some of its processes; all name the session's directory."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if session in entry.read_text(errors="replace"):
                found.add(int(entry.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


context = ray_here.start()
ray.get([who.remote() for _ in range(4)])
time.sleep(3)
session = Path(context.address_info["session_dir"]).name
pids = tree(os.getpid()) | of_session(session)
say(resident_bytes(pids), processes=len(pids))
