"""What is told of a run that is followed: how it stands, what happens, what its steps print."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from treadle.client.lines import Lines
from treadle.model.records import Event

if TYPE_CHECKING:
    from treadle.client.api import Api
    from treadle.client.details import RunDetail

    Message: TypeAlias = "RunDetail | Event | Printed"

LOG_BYTES = 64 * 1024  #: of a log shown at a time; where more has piled up, its end
ENDS_OF_ATTEMPTS = ("job.completed", "job.failed", "job.gone", "job.retried", "job.lost")


@dataclass(frozen=True, slots=True)
class Printed:
    """Whole lines of a job's output."""

    job_id: str
    lines: list[str]


async def followed(api: "Api", run_id: str) -> "AsyncIterator[Message]":
    """How the run stands, then what happens to its end, then how it stands at the end."""
    detail = await api.run_detail(run_id)
    yield detail
    outputs = _Outputs(api)
    async for batch in api.events(run_id, output=True):
        for event in batch:
            if event.job_id and (lines := await outputs.of(event, event.job_id)):
                yield Printed(event.job_id, lines)
            yield event
    yield await api.run_detail(run_id)


class _Outputs:
    """What was told of each job's log, so that no line is told twice or left out."""

    def __init__(self, api: "Api") -> None:
        self._api = api
        self._logs: dict[tuple[str, int], Lines] = {}  # by job and attempt

    async def of(self, event: Event, job_id: str) -> list[str]:
        """The lines that are new with the event; at an attempt's end the unfinished one, too."""
        if event.kind == "job.output":
            return await self._printed(job_id, event)
        if event.kind not in ENDS_OF_ATTEMPTS:
            return []
        lines = self._logs.pop((job_id, event.data.get("attempt") or 0), None)
        return lines.end() if lines else []

    async def _printed(self, job_id: str, event: Event) -> list[str]:
        attempt, offset, size = (event.data.get(key) or 0 for key in ("attempt", "offset", "size"))
        lines = self._lines(job_id, attempt)
        if size <= lines.offset:
            return []
        if offset == lines.offset and (text := event.data.get("text")):
            found = lines.take(text.encode())
            lines.offset = size  # what is no UTF-8 has another length as text
            return found
        if size - lines.offset <= LOG_BYTES:
            return await self._read(job_id, attempt, lines, size - lines.offset)
        left_out = size - LOG_BYTES - lines.offset
        found = [*lines.end(), f"... {left_out} bytes are left out here; they are in the log ..."]
        lines.offset = size - LOG_BYTES
        return found + await self._read(job_id, attempt, lines, LOG_BYTES)

    async def _read(self, job_id: str, attempt: int, lines: Lines, most: int) -> list[str]:
        data, _ = await self._api.log_part(job_id, attempt, lines.offset, most)
        return lines.take(data)

    def _lines(self, job_id: str, attempt: int) -> Lines:
        return self._logs.setdefault((job_id, attempt), Lines())
