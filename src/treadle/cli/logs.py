"""`treadle logs`: what the steps of a run printed."""

import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from treadle.cli import printing
from treadle.cli.door import Door, Snapshot, step_of
from treadle.cli.inbox import Inbox, Printed
from treadle.cli.linger import tell_of_standing
from treadle.cli.options import Json, RunId
from treadle.cli.reading import Notice
from treadle.cli.where import Where
from treadle.errors import NotFound
from treadle.model.records import Job


def logs(
    where: Where,
    run_id: RunId,
    step: Annotated[str | None, typer.Argument(help="One step only; else all, in order.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the end.")] = False,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which attempt.", show_default="the last")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what the steps of a run printed.

    One step's output comes as it was written; that of several with the step's name before each
    line. With --json, one JSON object for each line.
    """
    with where.opened(start=False) as door:
        run = door.find(run_id)
        told = door.snapshot(run.id)
        if step is not None:
            job = step_of(told.jobs, step)
            if attempt is not None and attempt > job.attempt and not follow:
                raise NotFound(
                    f"Step {job.step!r} has no attempt {attempt}.",
                    hint=f"Its last one is {job.attempt}." if job.attempt else "It has not begun.",
                )
            _one(door, job, attempt or max(job.attempt, 1), follow=follow, as_json=as_json)
        elif follow:
            _follow_all(door, told, as_json=as_json)
        else:
            for job in told.jobs:
                for line in _lines(door, job, attempt or job.attempt):
                    _print(job.step, line, as_json=as_json)


def _one(door: Door, job: Job, attempt: int, *, follow: bool, as_json: bool) -> None:
    chunks = door.log_chunks(job.id, attempt, follow=follow)
    if as_json:
        for line in split(chunks):
            _print(job.step, line, as_json=True)
        return
    for chunk in chunks:
        _write(chunk)


def _write(data: bytes) -> None:
    """Straight to the descriptor: what was printed, byte for byte."""
    sys.stdout.flush()
    view = memoryview(data)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


def _lines(door: Door, job: Job, attempt: int) -> Iterator[str]:
    if attempt >= 1:
        yield from split(door.log_chunks(job.id, attempt, follow=False))


def split(chunks: Iterator[bytes]) -> Iterator[str]:
    """Lines of a stream of bytes."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


def _print(step: str, line: str, *, as_json: bool) -> None:
    if as_json:
        printing.say_json({"step": step, "line": line}, line=True)
    else:
        printing.say(f"{step} | {line}")


def _follow_all(door: Door, told: Snapshot, *, as_json: bool) -> None:
    """All steps at once, as it comes; ends with the run."""
    steps = {job.id: job.step for job in told.jobs}
    reader = Inbox(door, lambda _: told.run)
    for message in reader.messages():
        if isinstance(message, Printed):
            for line in message.lines:
                _print(steps[message.job_id], line, as_json=as_json)
        elif isinstance(message, Notice):
            printing.tell(message.text)
    if door.read_only:
        tell_of_standing([told.run])
