"""What a step's own code may ask and tell. Works outside a job too. Standard library only.

from treadle import step

for epoch in range(10):
    step.log_metric("loss", train_one_epoch(), step=epoch)
    step.progress(epoch + 1, 10)

# a script has more: what it was given, and a way to say what it made
data = step.inputs["data"]
step.output(fit(data, step.parameters["rate"]), "model")
"""

from __future__ import annotations

import logging
import numbers
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Mapping, Protocol

if TYPE_CHECKING:
    from treadle.script_job import ScriptJob

JOB_VARIABLE = "TREADLE_JOB"  #: path of the file that tells a script's processes of their job
_PROGRESS_SECONDS = 0.1  #: at most one progress note in this time
_log = logging.getLogger("treadle.step")


class Channel(Protocol):
    """The part of interfaces.Channel that a step uses."""

    def metric(self, name: str, value: float, step: int | None) -> None: ...

    def progress(self, done: float, total: float | None) -> None: ...


class CurrentJob:
    """The job this process performs; the runtime makes it, `finish` sends what was held back."""

    def __init__(self, channel: Channel, attempt: int, scratch_dir: str) -> None:
        self.channel, self.attempt, self.scratch_dir = channel, attempt, scratch_dir
        self._next_progress = 0.0
        self._held: tuple[float, float | None] | None = None

    def progress(self, done: float, total: float | None) -> None:
        now = time.monotonic()
        if now < self._next_progress:
            self._held = done, total
            return
        self._next_progress, self._held = now + _PROGRESS_SECONDS, None
        self.channel.progress(done, total)

    def finish(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self.channel.progress(*held)


class MissingName(KeyError):
    """Nothing of this name was given; says what was, and how to spell it."""

    def __str__(self) -> str:
        return str(self.args[0])


_current: CurrentJob | None = None
_script: ScriptJob | None = None
_own_scratch_dir: str | None = None


def enter(job: CurrentJob | None) -> None:
    """For the runtime: from now on this process performs the job (None: no job)."""
    global _current
    _current = job


def _job() -> CurrentJob | None:
    """The job of this process, or of the script that started it; None outside."""
    return _current or _script_job()


def _script_job() -> ScriptJob | None:
    global _script
    path = os.environ.get(JOB_VARIABLE)
    if _current is not None or not path:
        return None
    if _script is None or _script.path != path:
        from treadle.script_job import ScriptJob  # noqa: PLC0415 - functions never need it

        _script = ScriptJob.read(path)
    return _script


class Inputs(Mapping[str, Any]):
    """A script's inputs by name: what other steps made, read when it is first asked for.

    `inputs.path("data")` is the file instead, or the folder where there are several results.
    """

    def __getitem__(self, name: str) -> Any:
        return self._of(name).value(name)

    def path(self, name: str) -> Path:
        """The file or folder of the input, not to be written to."""
        return self._of(name).input_path(name)

    def _of(self, name: str) -> ScriptJob:
        job = _script_job()
        if job is None:
            raise MissingName(f"There is no input {name!r}: {_outside()}")
        if name not in job.inputs:
            raise MissingName(_missing("input", name, job.inputs))
        return job

    def __iter__(self) -> Iterator[str]:
        job = _script_job()
        return iter(() if job is None else job.inputs)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return any(name == each for each in self)

    def __repr__(self) -> str:
        return f"<inputs {', '.join(self) or 'none'}>"


class Parameters(Mapping[str, Any]):
    """A script's parameters by name, as the pipeline gave them; empty outside of a job."""

    def __getitem__(self, name: str) -> Any:
        job = _script_job()
        if job is None:
            raise MissingName(f"There is no parameter {name!r}: {_outside()}")
        if name not in job.parameters:
            raise MissingName(_missing("parameter", name, job.parameters))
        return job.parameters[name]

    def __iter__(self) -> Iterator[str]:
        job = _script_job()
        return iter(() if job is None else job.parameters)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))


inputs = Inputs()
parameters = Parameters()


def output(value: Any, name: str = "result") -> None:
    """Keep the value as this script's output of that name; another step can take it as its input.

    Stored as it is now: arrays, tables and plain data as such, a pathlib.Path as the file or
    folder that lies there, all else pickled. Outside a job the value is only mentioned in the log.
    Raises TypeError or ValueError for a name that cannot be, or is taken; CodecError for a value
    that cannot be stored.
    """
    if not isinstance(name, str):
        raise TypeError(f"output: the name must be a str, not {type(name).__name__}")
    if not name.replace("-", "_").isidentifier():
        raise ValueError(f"output: {name!r} cannot be the name of an output; try letters and _")
    job = _script_job()
    if job is not None:
        job.keep(value, name)
    elif _current is not None:
        raise TypeError("output: a function returns its results; only a script calls this")
    else:
        _log.info("output %s: %s", name, type(value).__name__)


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """Record a number under a name. step: your own counter, such as the epoch.

    Raises TypeError if name is no str, value no real number or step no int; ValueError for a step
    of more than 64 bits.
    """
    if not isinstance(name, str):
        raise TypeError(f"log_metric: the name must be a str, not {type(name).__name__}")
    number = _real(value, f"log_metric: the value of {name!r}")
    if step is not None and (isinstance(step, bool) or not isinstance(step, numbers.Integral)):
        raise TypeError(f"log_metric: the step must be an int or None, not {type(step).__name__}")
    counter = None if step is None else int(step)
    if counter is not None and not -(2**63) <= counter < 2**63:
        raise ValueError(f"log_metric: the step of {name!r} does not fit into 64 bits")
    name = name.encode("utf-8", "backslashreplace").decode()  # no lone surrogates on the wire
    job = _job()
    if job is None:
        at = "" if counter is None else f" (step {counter})"
        _log.info("%s = %s%s", name, number, at)
    else:
        job.channel.metric(name, number, counter)


def progress(done: float, total: float | None = None) -> None:
    """Tell how far the step is: `done` of `total`, in any unit. Cheap to call in a tight loop.

    Raises TypeError if done or total is no real number.
    """
    so_far = _real(done, "progress: done")
    whole = None if total is None else _real(total, "progress: total")
    job = _job()
    if job is None:
        _log.info("progress: %s%s", so_far, "" if whole is None else f" of {whole}")
    else:
        job.progress(so_far, whole)


def attempt_number() -> int:
    """Which attempt at this job this is, from 1."""
    job = _job()
    return 1 if job is None else job.attempt


def scratch_dir() -> Path:
    """A directory of this job's own that survives its retries, for checkpoints.

    Outside a job: a temporary directory, the same one while the process lives.
    """
    global _own_scratch_dir
    job = _job()
    if job is not None:
        path = Path(job.scratch_dir)
        path.mkdir(parents=True, exist_ok=True)
        return path
    if _own_scratch_dir is None:
        import tempfile  # noqa: PLC0415 - a third of this module's import time, rarely needed

        _own_scratch_dir = tempfile.mkdtemp(prefix="treadle-")
    return Path(_own_scratch_dir)


def _outside() -> str:
    if _current is not None:
        return "this step is a function, whose inputs and parameters are its arguments."
    return (
        "this is not run as a step. Run it by a pipeline (`treadle run`), or use "
        "`.get(name, default)` to have it work without one."
    )


def _missing(kind: str, name: object, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 - for mistakes only

    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    if close:
        return f"There is no {kind} {name!r}. Did you mean {close[0]!r}?"
    has = f"The step has {', '.join(map(repr, names))}." if names else f"The step has no {kind}s."
    return f"There is no {kind} {name!r}. {has}"


def _real(value: object, what: str) -> float:
    """A float of any real number, NumPy's and Decimal-like ones with __float__ included."""
    if isinstance(value, (float, int)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{what} must be a real number, not {type(value).__name__}")
    return float(value.__float__())
