"""What arrives while a run is followed: a thread reads from the owner, the main thread draws."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from treadle.cli.door import Door, Snapshot
from treadle.cli.reading import Finished, Notice, Reading
from treadle.cli.signals import Request
from treadle.client.lines import Lines
from treadle.client.progress import Uploading
from treadle.model.records import Event, Metric, Run

LOG_CHUNK_BYTES = 256 * 1024  #: read at a time; when more has piled up, its end is shown
_ENDED = {"job.completed", "job.failed", "job.gone", "job.retried", "job.lost"}


@dataclass(frozen=True, slots=True)
class Printed:
    """Whole lines of a job's output."""

    job_id: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Measured:
    """All metrics of the run, once it has ended: the last ones may not have been announced."""

    metrics: list[Metric]


Message = Run | Snapshot | Event | Printed | Measured | Notice | Uploading | Finished | Request
Begin = Callable[[Door], Run]  #: submit, or find, the run to follow


class Inbox(Reading[Message]):
    """One stream of messages about one run. silent: only its beginning and its end."""

    def __init__(self, door: Door, begin: Begin, *, silent: bool = False) -> None:
        super().__init__(door)
        self._begin = begin
        self._silent = silent
        self._lines: dict[str, Lines] = {}  # by job id, while it may print
        self._unread: dict[str, int | None] = {}  # job id -> ended attempt not looked at, or None
        self._since: datetime | None = None  # when we began to hear of output

    def messages(self) -> Iterator[Message]:
        """All messages, in the caller's thread; for when nothing else is to be waited for."""
        self.start()
        while True:
            message = self._messages.get()
            if isinstance(message, Finished):
                if message.error is not None:
                    raise message.error
                return
            yield message

    def _read(self) -> None:
        run = self._begin(self._door)
        self.send(run)
        if self._silent:  # events cost the owner, and nobody looks
            self._door.wait(run.id)
        else:
            self._read_events(run)

    def _read_events(self, run: Run) -> None:
        self.send(self._door.snapshot(run.id))
        for event in self._door.events(run.id):
            for printed in self._output_of(event):
                self.send(printed)
            self.send(event)
        self.send(Measured(self._door.metrics(run.id)))

    def _output_of(self, event: Event) -> Iterator[Printed]:
        """What the job printed since the last look; after its end, the unfinished line too.

        Output is announced from the moment on when we began to follow. What ended or began before
        is looked at once.
        """
        self._since = self._since or datetime.now(UTC)
        if event.job_id is None:
            return
        lines = self._lines_at(event, event.job_id, earlier=event.at <= self._since)
        if lines:
            yield Printed(event.job_id, lines)

    def _lines_at(self, event: Event, job_id: str, *, earlier: bool) -> list[str]:
        """News of output may come after the end of its attempt; no line is told twice."""
        attempt = event.data.get("attempt")
        match event.kind:
            case "job.leased":
                self._unread.pop(job_id, None)  # an attempt that has not ended
            case "job.started" if earlier:
                return self._new_lines(job_id, attempt)
            case kind if kind in _ENDED:
                if job_id in self._lines or earlier:
                    self._unread[job_id] = None
                    return self._last_lines(job_id, attempt)
                self._unread[job_id] = attempt
            case "job.output":
                if job_id not in self._unread:
                    return self._new_lines(job_id, None)
                if (ended := self._unread[job_id]) is not None:
                    self._unread[job_id] = None
                    return self._last_lines(job_id, ended)
        return []

    def _last_lines(self, job_id: str, attempt: int | None) -> list[str]:
        """What is left of an attempt that has ended, a line without its end too."""
        return self._new_lines(job_id, attempt) + self._lines.pop(job_id).end()

    def _new_lines(self, job_id: str, attempt: int | None) -> list[str]:
        """Read to the log's end; where too much has piled up, only its last part.

        attempt: None for the last one.
        """
        lines = self._lines.setdefault(job_id, Lines())
        data, size = self._door.log(job_id, attempt, lines.offset, LOG_CHUNK_BYTES)
        if size < lines.offset:  # a new attempt has begun a new log
            lines = self._lines[job_id] = Lines()
            data, size = self._door.log(job_id, attempt, 0, LOG_CHUNK_BYTES)
        found = lines.take(data)
        left = size - lines.offset
        if left > LOG_CHUNK_BYTES:
            found += [*lines.end(), f"... {left - LOG_CHUNK_BYTES} bytes are left out here ..."]
            lines.offset = size - LOG_CHUNK_BYTES
        if left > 0:
            found += lines.take(self._door.log(job_id, attempt, lines.offset, LOG_CHUNK_BYTES)[0])
        return found
