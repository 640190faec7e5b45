"""Outputs of steps as values, and the errors that stand where there is none."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from treadle import codecs, errors
from treadle.errors import Aborted, Conflict, JobError, TreadleError, WorkerDied
from treadle.model.bindings import Binding, Entries, Items, Output, Stored, Value
from treadle.model.records import Failure, FailureType, Job
from treadle.model.states import JOB_GOOD_ENDS, JobState

DIED = {FailureType.CRASHED, FailureType.MEMORY, FailureType.LOST}


def decoded(data: bytearray, codec: str, directory: Path | None = None) -> Any:
    """The value. directory: where files are put; default a new one among the temporary files."""
    if directory is None and codec.startswith("path"):
        directory = Path(tempfile.mkdtemp(prefix="treadle-"))
    return codecs.decode(codec, memoryview(data), directory=directory)


def no_result(job: Job) -> TreadleError | None:
    """Why the job has no result to give, or None if it has."""
    if job.state in JOB_GOOD_ENDS:
        return None
    if job.failure is not None and job.state is JobState.FAILED:
        return job_error(job.step, job.failure)
    if job.state is JobState.ABORTED:
        return Aborted(f"Step {job.step!r} was aborted.")
    if job.state is JobState.SKIPPED:
        return JobError(f"Step {job.step!r} was skipped: {job.reason}.")
    return Conflict(
        f"Step {job.step!r} has not ended: it is {job.state}.", hint="Wait for it: run.wait()."
    )


def job_error(step: str, failure: Failure) -> JobError:
    """The failure as an error that shows what the step's own process saw."""
    kind = WorkerDied if failure.certificate or failure.type in DIED else JobError
    text = f"Step {step!r} failed ({failure.type}): {failure.message}"
    if failure.traceback:
        text += f"\n\n{failure.traceback.rstrip()}\n"
    elif failure.certificate and failure.certificate.last_lines:
        text += f"\n\nIts last lines:\n{failure.certificate.last_lines.rstrip()}\n"
    return kind(text, failure=failure, hint=failure.hint)


def own_error(failure: Failure) -> TreadleError:
    """The error of ours that a job raised, again; else InvalidDefinition with its traceback."""
    name = failure.exception.rpartition(".")[2]
    kind: Any = getattr(errors, name, None)
    error: TreadleError
    if isinstance(kind, type) and issubclass(kind, errors.UserMistake | errors.CodecError):
        text = failure.message.removeprefix(f"{failure.exception}: ")
        error = kind(text.removeprefix(f"{name}: "), hint=failure.hint)
    else:
        text = f"{failure.message}\n\n{failure.traceback}".rstrip()
        error = errors.InvalidDefinition(text, hint=failure.hint)
    error.details["traceback"] = failure.traceback
    return error


def composed(
    binding: Binding, output: Callable[[Output], Any], stored: Callable[[Stored], Any]
) -> Any:
    """The value that a binding stands for."""
    if isinstance(binding, Value):
        return binding.value
    if isinstance(binding, Output):
        return output(binding)
    if isinstance(binding, Stored):
        return stored(binding)
    if isinstance(binding, Items):
        items = [composed(item, output, stored) for item in binding.items]
        return tuple(items) if binding.kind == "tuple" else items
    assert isinstance(binding, Entries)
    return {key: composed(item, output, stored) for key, item in binding.entries.items()}
