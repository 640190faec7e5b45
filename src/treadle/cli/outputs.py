"""`treadle artifacts` and `get`: what the steps of a run made."""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from treadle.cli import printing
from treadle.cli.options import Json, RunId
from treadle.cli.where import Where
from treadle.errors import InvalidRequest, NotFound, StorageFull, Unavailable
from treadle.model.bindings import DEFAULT_OUTPUT
from treadle.model.graph import nearest
from treadle.model.records import Job
from treadle.model.refs import Ref
from treadle.model.states import JOB_GOOD_ENDS

JSON = "application/json"


def artifacts(where: Where, run_id: RunId, as_json: Json = False) -> None:
    """List what the steps of a run made: outputs with their type and size."""
    with where.opened(start=False) as door:
        told = door.snapshot(door.find(run_id).id)
        made = [job for job in told.jobs if job.state in JOB_GOOD_ENDS]
        found = [(job, name, ref) for job in made for name, ref in door.outputs(job.id).items()]
    if as_json:
        described = [_described(job, name, ref) for job, name, ref in found]
        printing.say_json({"run": told.run.id, "artifacts": described})
    elif found:
        rows = [
            (
                _address(job.step, name),
                ref.media_type,
                printing.size(ref.size_bytes),
                ref.digest[:12],
            )
            for job, name, ref in found
        ]
        printing.table(("output", "type", "size", "digest"), rows, numbers=("size",))
        printing.tell(f"\nTo fetch one: treadle get {told.run.id} {rows[-1][0]} -o FILE")
    else:
        printing.tell(f"Run {told.run.id} is {told.run.state} and has made nothing yet.")


def _address(step: str, name: str) -> str:
    return step if name == DEFAULT_OUTPUT else f"{step}.{name}"


def _described(job: Job, name: str, ref: Ref) -> dict[str, Any]:
    return {
        "step": job.step,
        "output": name,
        "job": job.id,
        "media_type": ref.media_type,
        "codec": ref.codec,
        "size_bytes": ref.size_bytes,
        "digest": ref.digest,
    }


def get(
    where: Where,
    run_id: RunId,
    output: Annotated[str, typer.Argument(metavar="STEP[.OUTPUT]", help="Which output.")],
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; - or nothing: to stdout."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch an output of a step, in the form in which it is stored."""
    with where.opened(start=False) as door:
        told = door.snapshot(door.find(run_id).id)
        job, name = locate(told.jobs, output)
        if name == DEFAULT_OUTPUT and output == job.step:
            name = _only(door.outputs(job.id), output)
        if file is not None and str(file) != "-":
            with whole(file) as descriptor:
                ref = door.save_output(job.id, name, descriptor)
            _tell_saved(file, job, name, ref, as_json=as_json)
            return
        ref, data = door.output(job.id, name)
    if as_json:
        printing.say_json(_described(job, name, ref) | _value(ref, data))
    else:
        _to_stdout(ref, data, output)


def _tell_saved(file: Path, job: Job, name: str, ref: Ref, *, as_json: bool) -> None:
    if as_json:
        printing.say_json(_described(job, name, ref) | {"file": str(file)})
    else:
        printing.say(f"{file}  {printing.size(ref.size_bytes)}  {ref.media_type}")


def locate(jobs: list[Job], asked: str) -> tuple[Job, str]:
    """The step, and the name of its output; a step's own name may hold dots.

    Raises NotFound with the nearest right spelling.
    """
    steps = {job.step: job for job in jobs}
    if asked in steps:
        return steps[asked], DEFAULT_OUTPUT
    step, _, name = asked.rpartition(".")
    if step in steps:
        return steps[step], name
    hint = nearest(step or asked, steps) or "`treadle artifacts ID` lists them."
    raise NotFound(f"The run has no step {step or asked!r}.", hint=hint)


def _only(made: Mapping[str, Ref], step: str) -> str:
    """Which output a step's name alone stands for: the one called result, or else the only one.

    Raises NotFound where there are several.
    """
    if DEFAULT_OUTPUT in made or not made:
        return DEFAULT_OUTPUT
    if len(made) > 1:
        hint = f"Name one: {', '.join(f'{step}.{name}' for name in made)}."
        raise NotFound(f"Step {step!r} has several outputs.", hint=hint)
    return next(iter(made))


@contextlib.contextmanager
def whole(file: Path) -> Iterator[int]:
    """A new file, open for writing, which takes the place of `file` at the end: never seen half.

    Raises Unavailable, StorageFull.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as opened:
            yield opened.fileno()
        temporary.replace(file)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        kind = StorageFull if error.errno == errno.ENOSPC else Unavailable
        raise kind(f"Cannot write {file}: {error.strerror}.") from None


def _value(ref: Ref, data: bytearray) -> dict[str, Any]:
    if ref.media_type != JSON:
        raise InvalidRequest(f"This output is {ref.media_type}, not JSON.", hint="Add -o FILE.")
    return {"value": json.loads(data)}


def _to_stdout(ref: Ref, data: bytearray, asked: str) -> None:
    textual = ref.media_type == JSON or ref.media_type.startswith("text/")
    if sys.stdout.isatty() and not textual:
        raise InvalidRequest(
            f"{asked} is {ref.media_type} ({printing.size(len(data))}), nothing for a terminal.",
            hint="Add -o FILE.",
        )
    sys.stdout.buffer.write(data)
    if sys.stdout.isatty() or ref.media_type == JSON:
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
