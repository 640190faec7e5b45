"""What the ledger keeps and the API shows: frozen facts. Change is `dataclasses.replace`."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from treadle.model.bindings import DEFAULT_OUTPUT, Arguments, Binding
from treadle.model.states import JobState, RunState

OWNER = "owner"  #: the user who owns the data directory, and all that came before there were users


class FailureType(StrEnum):
    """Whose fault a failure was."""

    USER = "user"  # their code raised, or exited with another code than 0
    CRASHED = "crashed"  # their process died: a signal, os._exit
    MEMORY = "memory"  # over its memory limit, or killed by the kernel for want of memory
    TIMEOUT = "timeout"
    BUILD = "build"  # code, environment or image could not be made ready
    LOST = "lost"  # server, engine or node died, more often than is forgiven
    INTERNAL = "internal"  # ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A death certificate: how a process ended."""

    signal: int | None = None
    exit_code: int | None = None
    out_of_memory: bool = False
    peak_memory_bytes: int | None = None  #: highest resident-minus-shared memory of the tree seen
    last_lines: str = ""  #: the end of what it printed


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job did not complete. All text: nobody needs the user's classes to read it."""

    type: FailureType
    message: str  #: one line
    exception: str = ""  #: qualified name of the exception's class, if one was raised
    traceback: str = ""  #: as Python prints it, the user's frames only
    hint: str = ""  #: the next step
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The one code that a job is pinned to.

    snapshot: `digest` is a bundle's manifest ("" = what is installed), `entry` "module:qualname",
    or for a script its path below `folder`.
    value: `digest` is a blob holding a cloudpickle of {name: function}, `entry` the name.
    folder: of the snapshot ("" = its top), where imports start and scripts work.
    project_dir: the project itself, where functions work if it is visible.
    A script of neither digest, entry nor project_dir is a command in an empty folder of its own.
    """

    kind: Literal["snapshot", "value"]
    digest: str
    entry: str
    project_dir: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The interpreter and packages that a step runs with; without any, the engine's own.

    interpreter: an existing Python, virtual environment or conda prefix, used as it stands.
    python: the version to build one with ("3.12"; "" = the engine's own).
    requirements: lines of a requirements file, with nothing left to look up beside it.
    conda: text of an environment.yml.
    """

    interpreter: str = ""
    python: str = ""
    requirements: tuple[str, ...] = ()
    conda: str = ""

    @property
    def key(self) -> str:
        """Names what is to be built: the same content, the same key; "" for the engine's own."""
        return _environment_key(self)

    @property
    def is_built(self) -> bool:
        """It has to be built before use, by content."""
        return bool(self.python or self.requirements or self.conda)


OWN_ENVIRONMENT = Environment()  #: the engine's


@functools.lru_cache(maxsize=256)
def _environment_key(environment: Environment) -> str:
    if environment == OWN_ENVIRONMENT:
        return ""
    import hashlib  # noqa: PLC0415 - with OpenSSL it is 5 MB that no slot needs

    text = json.dumps(dataclasses.astuple(environment))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the code of a run was when it was submitted.

    snapshot: digest of the bundle's manifest. root: the folder it was made of. file: the
    pipeline's file below the root. commit, branch, dirty: as git told, where the root is in git.
    """

    snapshot: str = ""
    root: str = ""
    file: str = ""
    commit: str = ""
    branch: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What a job asks for, and what happens when it does not go well."""

    cpus: float = 1.0
    memory_bytes: int | None = None  #: limit of the process tree's resident-minus-shared memory
    gpus: int = 0
    timeout_seconds: float | None = None  #: of one attempt, from `started`
    retries: int = 0
    backoff_seconds: float = 1.0  #: before the first retry; doubles with each
    backoff_limit_seconds: float = 300.0
    retry_on: tuple[FailureType, ...] = (
        FailureType.USER,
        FailureType.CRASHED,
        FailureType.MEMORY,
        FailureType.TIMEOUT,
    )
    on_lost: Literal["requeue", "fail"] = "requeue"
    grace_seconds: float = 5.0  #: between SIGTERM and SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that can be run. `id` names the exact definition, code and defaults included."""

    id: str
    name: str
    version: str
    code: Code
    kind: Literal["function", "primitive", "script", "notebook", "container"] = "function"
    description: str = ""
    parameters_schema: Mapping[str, Any] = field(default_factory=dict)  #: JSON Schema, 2020-12
    outputs: tuple[str, ...] = (DEFAULT_OUTPUT,)
    execution: Execution = Execution()
    environment: Environment = OWN_ENVIRONMENT
    variables: Mapping[str, str] = field(default_factory=dict)  #: for os.environ
    secrets: Mapping[str, str] = field(
        default_factory=dict
    )  #: variable -> key in the run's secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A tool placed in a pipeline."""

    name: str
    tool_id: str
    arguments: Arguments
    after: tuple[str, ...] = ()
    where: str = ""  #: "file:line" of the call that made it
    execution: Execution | None = None  #: None: as the tool says


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A traced pipeline: its definition's name and version, and the steps it came to."""

    name: str
    version: str
    tools: tuple[Tool, ...]
    steps: tuple[Step, ...]
    description: str = ""
    parameters_schema: Mapping[str, Any] = field(default_factory=dict)
    output: Binding | None = None  #: what the pipeline function returned
    concurrency: int | None = None  #: runs of this pipeline at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request for a run. secrets: values by key, never shown and never stored in clear."""

    pipeline: Pipeline
    parameters: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0  #: higher first
    fail_fast: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    source: Source | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a pipeline."""

    id: str
    pipeline: str
    pipeline_version: str
    state: RunState
    created_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    output: Binding | None = None
    source: Source | None = None
    user: str = OWNER  #: who asked for it
    priority: int = 0
    fail_fast: bool = False
    concurrency: int | None = None
    retry_of: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    jobs_total: int = 0
    jobs_left: int = 0  #: not yet ended
    jobs_failed: int = 0
    reason: str = ""  #: why it waits, or why it ended as it did


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One execution of one tool: a step of a run, or a call without a run.

    Its arguments stand apart (`Books.arguments_of`): they never change and may be large.
    """

    id: str
    run_id: str | None
    step: str  #: the step's name, or the tool's for a call
    tool_id: str
    state: JobState
    execution: Execution
    created_at: datetime
    position: int = 0  #: place among the run's steps
    user: str = OWNER  #: who asked for it
    priority: int = 0
    attempt: int = 0  #: leases so far; fences everything an attempt writes
    owner: str | None = None
    parents_left: int = 0
    failures: int = 0  #: attempts that used up a retry
    losses: int = 0  #: attempts lost with their owner or engine, free of charge
    reason: str = ""  #: why it waits (parent, slot, build, limit, backoff, backend) or was skipped
    not_before: datetime | None = None
    leased_at: datetime | None = None  #: of the last attempt
    started_at: datetime | None = None  #: of the last attempt
    ended_at: datetime | None = None
    failure: Failure | None = None  #: of the last attempt that failed
    progress_done: float | None = None
    progress_total: float | None = None

    @property
    def stream(self) -> str:
        """Whose events this job's moves are written to: its run's, or its own."""
        return self.run_id or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a job."""

    job_id: str
    number: int
    owner: str
    leased_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    end: str | None = None  #: completed, failed, aborted, lost
    failure: Failure | None = None
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of the diary. `cursor` grows over the ledger, `number` within its stream from 1."""

    cursor: int
    stream: str  #: a run's id, or a job's when it has no run
    number: int
    at: datetime
    kind: str  #: "job.started", "run.completed", ...
    job_id: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that a job logged. step: the user's own counter (epoch, iteration).

    id grows over the ledger; 0 until it is written.
    """

    job_id: str
    attempt: int
    name: str
    value: float
    step: int | None
    at: datetime
    id: int = 0
