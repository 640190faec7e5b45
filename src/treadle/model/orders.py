"""Orders go down to an engine, notes come up from it. Both are frozen and have a JSON form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, NamedTuple

from treadle.model import bindings
from treadle.model.bindings import DEFAULT_OUTPUT, Arguments
from treadle.model.records import (
    OWN_ENVIRONMENT,
    Certificate,
    Code,
    Environment,
    Execution,
    Failure,
    FailureType,
)
from treadle.model.refs import Ref

FORMAT = 2  #: version of the JSON form of orders and notes
_EXECUTION_FIELDS = tuple(f.name for f in fields(Execution))  # asdict is ten times slower


class AttemptKey(NamedTuple):
    """Which attempt of which job."""

    job_id: str
    number: int

    def __str__(self) -> str:
        return f"{self.job_id}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that the far side needs to perform one attempt; it never sees settings or the ledger.

    arguments hold no Output any more, only values and Refs. blobs, scratch_dir: on the machine
    that performs the order. output_limit_bytes: what is printed beyond it is dropped, with a mark.
    """

    attempt: AttemptKey
    step: str
    run_id: str | None
    kind: str  #: the tool's: which runtime performs it
    code: Code
    arguments: Arguments
    execution: Execution
    blobs: str  #: address of the blob store: a directory, or s3://..., gs://..., az://...
    scratch_dir: str  #: the job's own, kept across attempts
    outputs: tuple[str, ...] = (DEFAULT_OUTPUT,)
    environment: Environment = OWN_ENVIRONMENT
    variables: Mapping[str, str] = field(default_factory=dict)  #: for os.environ
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  #: too; masked in output
    output_limit_bytes: int = 64 * 1024 * 1024
    fsync: bool = False

    def to_wire(self) -> dict[str, Any]:
        return {
            "v": FORMAT,
            "job_id": self.attempt.job_id,
            "number": self.attempt.number,
            "step": self.step,
            "run_id": self.run_id,
            "kind": self.kind,
            "code": _code_to_wire(self.code),
            "arguments": {k: bindings.to_wire(b) for k, b in self.arguments.items()},
            "execution": {name: getattr(self.execution, name) for name in _EXECUTION_FIELDS},
            "blobs": self.blobs,
            "scratch_dir": self.scratch_dir,
            "outputs": self.outputs,
            "environment": _environment_to_wire(self.environment),
            "variables": dict(self.variables),
            "secrets": dict(self.secrets),
            "output_limit_bytes": self.output_limit_bytes,
            "fsync": self.fsync,
        }

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "Order":
        kind, digest, entry, project_dir, folder = wire["code"]
        return cls(
            attempt=AttemptKey(wire["job_id"], wire["number"]),
            step=wire["step"],
            run_id=wire["run_id"],
            kind=wire["kind"],
            code=Code(
                kind=kind, digest=digest, entry=entry, project_dir=project_dir, folder=folder
            ),
            arguments={k: bindings.from_wire(b) for k, b in wire["arguments"].items()},
            execution=execution_from_wire(wire["execution"]),
            blobs=wire["blobs"],
            scratch_dir=wire["scratch_dir"],
            outputs=tuple(wire["outputs"]),
            environment=_environment_from_wire(wire["environment"]),
            variables=wire["variables"],
            secrets=wire["secrets"],
            output_limit_bytes=wire["output_limit_bytes"],
            fsync=wire["fsync"],
        )


def _code_to_wire(code: Code) -> list[str]:
    return [code.kind, code.digest, code.entry, code.project_dir, code.folder]


def _environment_to_wire(environment: Environment) -> dict[str, Any] | None:
    return asdict(environment) if environment.key else None


def _environment_from_wire(wire: dict[str, Any] | None) -> Environment:
    if wire is None:
        return OWN_ENVIRONMENT
    return Environment(**{**wire, "requirements": tuple(wire["requirements"])})


def execution_from_wire(wire: dict[str, Any]) -> Execution:
    return Execution(**{**wire, "retry_on": tuple(FailureType(f) for f in wire["retry_on"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How an attempt ended. perform() returns one whatever the user's code does."""

    outcome: Literal["completed", "failed", "aborted", "lost"]
    outputs: Mapping[str, Ref] = field(default_factory=dict)
    failure: Failure | None = None
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None

    def to_wire(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "outputs": {name: ref.to_wire() for name, ref in self.outputs.items()},
            "failure": None if self.failure is None else asdict(self.failure),
            "peak_memory_bytes": self.peak_memory_bytes,
            "cpu_seconds": self.cpu_seconds,
        }

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "Report":
        return cls(
            outcome=wire["outcome"],
            outputs={name: Ref.from_wire(ref) for name, ref in wire["outputs"].items()},
            failure=failure_from_wire(wire["failure"]),
            peak_memory_bytes=wire["peak_memory_bytes"],
            cpu_seconds=wire["cpu_seconds"],
        )


def failure_from_wire(wire: dict[str, Any] | None) -> Failure | None:
    if wire is None:
        return None
    certificate = wire.get("certificate")
    return Failure(
        **{
            **wire,
            "type": FailureType(wire["type"]),
            "certificate": None if certificate is None else Certificate(**certificate),
        }
    )


# Notes. `number` counts an attempt's notes from 1; a note seen before is harmless.


@dataclass(frozen=True, slots=True)
class Delayed:
    """The attempt cannot start yet. reason: "build" while its environment is built."""

    attempt: AttemptKey
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Started:
    """The user's code is about to run. pid: of its process, where it has one."""

    attempt: AttemptKey
    number: int
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Printed:
    """Bytes the attempt wrote to standard output or error, in order of arrival."""

    attempt: AttemptKey
    number: int
    stream: Literal["out", "err"]
    data: bytes


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric. step: the user's own counter."""

    attempt: AttemptKey
    number: int
    name: str
    value: float
    step: int | None


@dataclass(frozen=True, slots=True)
class Progressed:
    attempt: AttemptKey
    number: int
    done: float
    total: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt is over, all it printed has been sent, and nothing of it is alive."""

    attempt: AttemptKey
    number: int
    report: Report


Note = Delayed | Started | Printed | Measured | Progressed | Ended
