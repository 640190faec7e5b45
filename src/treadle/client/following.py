"""What is told of a run that is followed: how it stands, what happens, what its steps print."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from treadle.client.lines import Lines
from treadle.model.records import Event

if TYPE_CHECKING:
    from treadle.client.api import Api, RunDetail

    Message: TypeAlias = "RunDetail | Event | Printed"

LOG_BYTES = 64 * 1024  #: of a log shown at a time; where more has piled up, its end
MOST_EARLIER = 200  #: attempts that ended before we came, whose output is shown
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
    async for batch, earlier in _story(api, run_id):
        for event in batch:
            if event.job_id and (lines := await outputs.of(event, event.job_id, earlier)):
                yield Printed(event.job_id, lines)
            yield event
    yield await api.run_detail(run_id)


async def _story(api: "Api", run_id: str) -> AsyncIterator[tuple[list[Event], bool]]:
    """Batches of events, and whether they may be from before we came.

    What a step prints is told while it runs: of what ended earlier, the log has to be read.
    """
    after, earlier = 0, True
    async for batch in api.events(run_id, follow=False):
        after = max(after, *(event.number for event in batch))
        yield batch, earlier
    async for batch in api.events(run_id, after=after, output=True):
        yield batch, earlier
        earlier = False


class _Outputs:
    """What was told of each job's log, so that no line is told twice or left out."""

    def __init__(self, api: "Api") -> None:
        self._api = api
        self._logs: dict[tuple[str, int], Lines] = {}  # by job and attempt
        self._to_read = MOST_EARLIER

    async def of(self, event: Event, job_id: str, earlier: bool) -> list[str]:
        """The lines that are new with the event; at an attempt's end the unfinished one, too."""
        if event.kind == "job.output":
            return await self._printed(job_id, event)
        if event.kind not in ENDS_OF_ATTEMPTS:
            return []
        attempt = event.data.get("attempt") or 0
        found: list[str] = []
        if earlier and attempt and self._to_read:
            self._to_read -= 1
            lines = self._lines(job_id, attempt)
            found = await self._read(job_id, attempt, lines, LOG_BYTES)
        if rest := self._logs.pop((job_id, attempt), None):
            found += rest.end()
        return found

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
