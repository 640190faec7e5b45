"""From `print` in a step to a follower of its log over TCP: each line says when it was printed."""

import os
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx

import treadle
from benchmarks.serving import running_server
from benchmarks.timing import say
from treadle import pipeline, tool

LINES = int(os.environ.get("LINES", "200"))


@tool
def tell_the_time(lines: int) -> int:
    for _ in range(lines):
        print(time.monotonic_ns())
        time.sleep(0.03)
    return lines


@pipeline
def telling(lines: int):
    return tell_the_time(lines)


def main() -> None:
    data_dir = Path(tempfile.mkdtemp())
    with (
        running_server(data_dir, "--slots", "1") as server,
        treadle.local(data_dir=data_dir) as client,
        httpx.Client(base_url=f"{server.url}/api/v1", timeout=60) as http,
    ):
        http.headers["authorization"] = f"Bearer {server.token}"
        of_log = delays(http, client, "log", "/jobs/{job}/log?follow=true")
        of_events = delays(http, client, "events", "/runs/{run}/events?output=true")
    say(
        slowest_twentieth(of_log),
        of_log,
        median=median(of_log),
        of_events=slowest_twentieth(of_events),
        of_events_median=median(of_events),
    )


def slowest_twentieth(found: list[float]) -> float:
    """Nineteen of twenty were no slower."""
    return sorted(found)[-len(found) // 20]


def delays(http, client, kind: str, path: str) -> list[float]:
    """Seconds of each line that came while we followed."""
    run = client.submit(telling, lines=LINES)
    job = run["tell_the_time"].job_id
    found = []
    with http.stream("GET", path.format(job=job, run=run.id)) as answer:
        for line in answer.iter_lines():
            now = time.monotonic_ns()
            if printed := printed_at(line, kind):
                found.append((now - printed) / 1e9)
    return found[10:]  # those before were printed before we listened


def printed_at(line: str, kind: str) -> int:
    """When the last line in it was printed; 0 for none."""
    if kind == "log":
        return int(line)
    if '"job.output"' not in line:
        return 0
    return int(line.partition('"text":"')[2].partition('"')[0].split("\\n")[-2])


main()
