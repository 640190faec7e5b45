"""What is answered about runs and jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from treadle.model.bindings import Binding
from treadle.model.records import Attempt, Job, Run
from treadle.schemas.bodies import Digest
from treadle.schemas.definitions import ToolSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails(Run):
    """A run with its jobs; edges: [from, to] by job ids; tools by id; arguments by job id."""

    jobs: tuple[Job, ...] | UnsetType = UNSET
    tools: Mapping[str, ToolSummary] | UnsetType = UNSET
    edges: tuple[tuple[str, str], ...] | UnsetType = UNSET
    arguments: Mapping[str, Mapping[str, Binding]] | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage:
    """next: as `before` for the following page; null at the end."""

    runs: tuple[Run, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRef:
    """What an output is; its bytes are at jobs/{id}/outputs/{name}."""

    digest: Digest
    size_bytes: int
    media_type: str
    codec: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedOutput(OutputRef):
    """An output by its name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsPage:
    """All of them, by name."""

    outputs: tuple[NamedOutput, ...]
    next: None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails(Job):
    """A job with its tool, its outputs by name, and its attempts."""

    tool: ToolSummary
    outputs: Mapping[str, OutputRef]
    attempts: tuple[Attempt, ...]
    arguments: Mapping[str, Binding] | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPage:
    """next: as `before` for the following page; null at the end."""

    jobs: tuple[Job, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMetric:
    """A number that a job logged. id grows over the ledger."""

    job_id: str
    attempt: int
    name: str
    value: float | Literal["nan", "inf", "-inf"]
    step: int | None
    at: datetime
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """In the order in which they were logged."""

    metrics: tuple[ShownMetric, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPage(Metrics):
    """next: as `before` for the following page; null at the end."""

    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a log; of a long one a part. line: from 1; offset: the byte where it begins."""

    offset: int
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLines:
    """next: as `before` to search on; null when all was searched."""

    lines: tuple[LogLine, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTail:
    """The end of a log, from the byte `offset` on."""

    attempt: int
    size_bytes: int
    offset: int
    tail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """All about a job; metrics: the last value of each."""

    job: JobDetails
    metrics: tuple[ShownMetric, ...]
    log: LogTail
