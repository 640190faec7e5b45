"""What a step's own code may ask and tell. Works outside a job too. Standard library only.

from treadle import step

for epoch in range(10):
    step.log_metric("loss", train_one_epoch(), step=epoch)
    step.progress(epoch + 1, 10)
"""

import logging
import numbers
import time
from pathlib import Path
from typing import Protocol

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


_current: CurrentJob | None = None
_own_scratch_dir: str | None = None


def enter(job: CurrentJob | None) -> None:
    """For the runtime: from now on this process performs the job (None: no job)."""
    global _current
    _current = job


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
    if _current is None:
        at = "" if counter is None else f" (step {counter})"
        _log.info("%s = %s%s", name, number, at)
    else:
        _current.channel.metric(name, number, counter)


def progress(done: float, total: float | None = None) -> None:
    """Tell how far the step is: `done` of `total`, in any unit. Cheap to call in a tight loop.

    Raises TypeError if done or total is no real number.
    """
    so_far = _real(done, "progress: done")
    whole = None if total is None else _real(total, "progress: total")
    if _current is None:
        _log.info("progress: %s%s", so_far, "" if whole is None else f" of {whole}")
    else:
        _current.progress(so_far, whole)


def attempt_number() -> int:
    """Which attempt at this job this is, from 1."""
    return 1 if _current is None else _current.attempt


def scratch_dir() -> Path:
    """A directory of this job's own that survives its retries, for checkpoints.

    Outside a job: a temporary directory, the same one while the process lives.
    """
    global _own_scratch_dir
    if _current is not None:
        path = Path(_current.scratch_dir)
        path.mkdir(parents=True, exist_ok=True)
        return path
    if _own_scratch_dir is None:
        import tempfile  # noqa: PLC0415 - a third of this module's import time, rarely needed

        _own_scratch_dir = tempfile.mkdtemp(prefix="treadle-")
    return Path(_own_scratch_dir)


def _real(value: object, what: str) -> float:
    """A float of any real number, NumPy's and Decimal-like ones with __float__ included."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{what} must be a real number, not {type(value).__name__}")
    return float(value.__float__())
