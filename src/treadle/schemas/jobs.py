"""What is answered about jobs: lists, what they left behind, and the whole outcome of one."""

from dataclasses import dataclass

from treadle.model.records import Job
from treadle.schemas.answers import JobDetails, OutputRef, ShownMetric


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPage:
    """next: as `before` for the following page, however many there are in this; null at the end."""

    jobs: tuple[Job, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPage:
    """In the order in which they were logged. next: as `before`; null at the end."""

    metrics: tuple[ShownMetric, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedOutput(OutputRef):
    """An output; its bytes are at jobs/{id}/outputs/{name}."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsPage:
    """All of them, by name."""

    outputs: tuple[NamedOutput, ...]
    next: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that has the text. offset: of its first byte; line: counted from 1."""

    offset: int
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLines:
    """next: as `before`, even where this page is not full; null at the end of the log."""

    lines: tuple[LogLine, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEnd:
    """The end of a log. offset: of its first byte in the whole."""

    attempt: int
    size_bytes: int
    offset: int
    tail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """The whole outcome of a job. metrics: the last value of each."""

    job: JobDetails
    metrics: tuple[ShownMetric, ...]
    log: LogEnd
