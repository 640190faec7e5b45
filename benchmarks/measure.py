"""Runs the scripts of a row in turn, ours and each peer's, several times over.

Every script is a fresh process, so nothing of one system is alive while another is measured.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rows import Contender

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 240


class CannotMeasure(Exception):
    """A script could not be run here; the message says why in one line."""


@dataclass(slots=True)
class Measured:
    """What came out for one contender: one value and its notes for each repeat."""

    values: list[float] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""

    def of(self, note: str | None) -> list[float]:
        return self.values if note is None else [float(each[note]) for each in self.notes]


def measure(
    contenders: Iterable[Contender],
    *,
    repeats: int,
    python_of: Callable[[str | None], str],
    tell: Callable[[str], None],
) -> dict[Contender, Measured]:
    """Alternate the contenders, `repeats` times; one that cannot be run drops out."""
    results = {contender: Measured() for contender in contenders}
    for number in range(1, repeats + 1):
        for contender, result in results.items():
            if result.problem:
                continue
            tell(f"{contender.name}: {contender.script} ({number} of {repeats})")
            try:
                value, notes = run(contender, python_of(contender.environment))
            except CannotMeasure as problem:
                result.problem = str(problem)
                tell(f"{contender.name}: {problem}")
            else:
                result.values.append(value)
                result.notes.append(notes)
    return results


def run(contender: Contender, python: str) -> tuple[float, dict[str, Any]]:
    """One repeat: the value that the script said, or its time from start to result.

    Raises CannotMeasure if it ended badly, said nothing, or took too long.
    """
    script = HERE / contender.script
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        errors = Path(scratch) / "stderr"
        with errors.open("wb") as sink:
            start = time.perf_counter()
            process = subprocess.Popen(
                [python, str(script), *contender.arguments],
                cwd=scratch,
                env=_environment(scratch),
                stdout=subprocess.PIPE,
                stderr=sink,
                start_new_session=True,
            )
            said, elapsed = _listen(process, start)
        if said is None:
            raise CannotMeasure(_why(errors, process.returncode))
    value = elapsed if contender.clock == "outside" else float(said["value"])
    return value, dict(said["notes"])


def _environment(scratch: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TREADLE_", "PYTHON"))}
    return kept | {"PYTHONPATH": str(HERE.parent), "TMPDIR": scratch}


def _listen(process: subprocess.Popen[bytes], start: float) -> tuple[dict[str, Any] | None, float]:
    """The result line, and how long it took to come; the process has ended on return."""
    said, elapsed = None, 0.0
    too_long = threading.Timer(TIMEOUT_SECONDS, _kill, [process])
    too_long.daemon = True
    too_long.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith(b'{"value"'):
                said, elapsed = json.loads(line), time.perf_counter() - start
        process.wait()
    finally:
        too_long.cancel()
        _kill(process)
        process.stdout.close()
    return (said if process.returncode == 0 else None), elapsed


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the script and its group, if it has not ended."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _why(errors: Path, code: int) -> str:
    lines = errors.read_text(errors="replace").strip().splitlines()
    if code == -signal.SIGKILL:
        return f"took longer than {TIMEOUT_SECONDS} s"
    return lines[-1] if lines else f"ended with code {code} and no result"


def spread(values: list[float]) -> tuple[float, float, float]:
    """(median, least, most)"""
    return median(values), min(values), max(values)
