"""Every error that Treadle raises, in one tree. Standard library only.

    TreadleError
    |-- UserMistake            the caller asked for something that cannot be
    |   |-- InvalidDefinition  a tool or pipeline is not well formed (cycle, unknown input, ...)
    |   |-- InvalidParameters  values do not fit the schema
    |   |-- InvalidRequest     a command or request makes no sense
    |   |-- NotFound           no such run, job, step, output, blob
    |   |-- MethodNotAllowed   there is such a path, but not for this method
    |   |-- Conflict           it exists, but in a state in which this cannot be done
    |   |-- KeyReused          an idempotency key that already stands for another request
    |   |-- Unauthorized       nobody known asks: no token, or one that does not hold any more
    |   |-- Forbidden          who asks is known, and may not do this
    |   |-- RangeNotSatisfiable  asks for bytes behind the last one
    |   `-- TooLarge           asks for more than this machine, or a limit, has
    |-- JobError               the user's code ended badly; carries a Failure
    |   `-- WorkerDied         its process died; carries the death certificate too
    |-- Aborted                someone asked for the end
    |-- Unavailable            the outside world: disk full, directory unreadable, owner gone
    |   |-- StorageFull
    |   |-- Busy               too much is under way already; try again later
    |   |-- OwnedElsewhere     another live process owns this data directory
    |   `-- NewerSchema        the ledger was written by a newer Treadle
    |-- CodecError             a value cannot be encoded or decoded
    |-- DamagedBlob            stored bytes no longer match their digest
    |-- MissingBlob            bytes that should be stored are not
    `-- InternalError          a rule of our own was broken; please report
        |-- UnlawfulMove       a state table has no such move
        `-- StaleMove          someone else moved first (fence of owner, attempt, state)

`code` is stable and travels on the wire. `sentence` is what the user reads; it says the next step.
"""

from __future__ import annotations

from typing import Any


class TreadleError(Exception):
    """Base of all; `str(error)` is the sentence.

    hint: the next step, one sentence; details: JSON-able facts that travel with the code.
    """

    code = "treadle.error"

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message, self.hint, self.details = message, hint, details

    @property
    def sentence(self) -> str:
        """What happened and what to do next."""
        if not self.hint:
            return self.message
        stop = "" if self.message.endswith((".", "!", "?", ":")) else "."
        return f"{self.message}{stop} {self.hint}"

    def __str__(self) -> str:
        return self.sentence


class UserMistake(TreadleError):
    code = "user.mistake"


class InvalidDefinition(UserMistake):
    """A tool or pipeline is not well formed. `where` is "file:line" when known."""

    code = "definition.invalid"

    def __init__(self, message: str, *, where: str = "", hint: str = "", **details: Any) -> None:
        super().__init__(f"{where}: {message}" if where else message, hint=hint, **details)
        self.where = where


class InvalidParameters(InvalidDefinition):
    code = "parameters.invalid"


class InvalidRequest(UserMistake):
    code = "request.invalid"


class NotFound(UserMistake):
    code = "not_found"


class MethodNotAllowed(UserMistake):
    """details: `allow`, the methods there are."""

    code = "method_not_allowed"


class Conflict(UserMistake):
    code = "conflict"


class TooLarge(UserMistake):
    code = "too_large"


class RangeNotSatisfiable(UserMistake):
    """details: `size_bytes`, how many there are."""

    code = "range.not_satisfiable"


class KeyReused(UserMistake):
    code = "idempotency.key_reused"


class Unauthorized(UserMistake):
    code = "unauthorized"


class Forbidden(UserMistake):
    code = "forbidden"


class JobError(TreadleError):
    """A job ended without a result; `failure` (model.records.Failure) says how."""

    code = "job.failed"

    def __init__(self, message: str, *, failure: Any = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.failure = failure


class WorkerDied(JobError):
    """The process of the job died; `failure.certificate` holds signal, memory, last lines."""

    code = "job.worker_died"


class Aborted(TreadleError):
    code = "job.aborted"


class Unavailable(TreadleError):
    code = "unavailable"


class StorageFull(Unavailable):
    code = "storage.full"


class Busy(Unavailable):
    """details: `retry_after_seconds`."""

    code = "busy"


class OwnedElsewhere(Unavailable):
    code = "owned_elsewhere"


class NewerSchema(Unavailable):
    code = "ledger.newer_schema"


class CodecError(TreadleError):
    code = "codec"


class DamagedBlob(TreadleError):
    code = "blob.damaged"


class MissingBlob(TreadleError):
    code = "blob.missing"


class InternalError(TreadleError):
    code = "internal"


class UnlawfulMove(InternalError):
    code = "internal.unlawful_move"


class StaleMove(InternalError):
    code = "internal.stale_move"


def _tree(base: type[TreadleError]) -> dict[str, type[TreadleError]]:
    found = {base.code: base}
    for child in base.__subclasses__():
        found.update(_tree(child))
    return found


def codes() -> list[str]:
    """All codes that a door may report, in order."""
    return sorted(_tree(TreadleError))


def from_wire(
    code: str, message: str, hint: str = "", details: dict[str, Any] | None = None
) -> TreadleError:
    """The error a door reported, by its code; of a code that only a newer release knows, a
    TreadleError that keeps it."""
    error = _tree(TreadleError).get(code, TreadleError)(message, hint=hint)
    error.code = code
    error.details.update(details or {})
    return error
