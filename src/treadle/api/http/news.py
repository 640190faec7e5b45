"""News: what is no line of the diary. It is made of what ledger and logs hold when it is told.

`job.progress` {done, total}, `job.metrics` {metrics}, `job.output` {attempt, offset, size, text}:
the bytes from offset to size of the attempt's log are new; text, where asked for, is those bytes.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from treadle.api.http.encode import metric_body
from treadle.errors import NotFound
from treadle.interfaces import Books, Clock, Ledger
from treadle.model.records import Event, Job
from treadle.scheduler import Change
from treadle.storage.logs import LogStore

MOST_METRICS = 1000  #: of a job at a time; the latest
MOST_TEXT_BYTES = 64 * 1024  #: of a job's output at a time; the latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where it is all kept."""

    ledger: Ledger
    logs: LogStore
    clock: Clock


class News:
    """What was told of each job, and so what is new. text: with the text that was printed."""

    def __init__(self, archive: Archive, *, text: bool) -> None:
        self._archive, self._text = archive, text
        self._measured_until: dict[str, int] = {}  # job id -> id of its last metric told
        self._printed_until: dict[str, tuple[int, int]] = {}  # job id -> attempt, bytes

    def of(self, books: Books, changes: Iterable[Change]) -> Iterator[Event]:
        """The changes that brought something new, as events without a number."""
        for change in changes:
            with contextlib.suppress(NotFound):  # deleted in the meantime
                if data := self._data(change.kind, books.job(change.job_id or ""), books):
                    yield self._event(change, data)

    def _event(self, change: Change, data: dict[str, Any]) -> Event:
        return Event(
            cursor=0,
            stream=change.stream,
            number=0,
            at=self._archive.clock.now(),
            kind=f"job.{change.kind}",
            job_id=change.job_id,
            data=data,
        )

    def _data(self, kind: str, job: Job, books: Books) -> dict[str, Any]:
        if kind == "progress":
            return {"done": job.progress_done, "total": job.progress_total}
        return self._measured(job, books) if kind == "metrics" else self._printed(job)

    def _measured(self, job: Job, books: Books) -> dict[str, Any]:
        metrics = books.metrics_of(job.id, self._measured_until.get(job.id, 0), last=MOST_METRICS)
        if not metrics:
            return {}
        self._measured_until[job.id] = metrics[-1].id
        return {"metrics": [metric_body(metric) for metric in metrics]}

    def _printed(self, job: Job) -> dict[str, Any]:
        attempt, told = self._printed_until.get(job.id, (0, 0))
        offset = told if attempt == job.attempt else 0
        size = self._archive.logs.size(job.stream, job.id, job.attempt)
        text: dict[str, str] = {}
        if self._text and size > offset:
            offset, size, text["text"] = self._read(job, offset, size)
        if size <= offset:
            return {}
        self._printed_until[job.id] = job.attempt, size
        return {"attempt": job.attempt, "offset": offset, "size": size, **text}

    def _read(self, job: Job, offset: int, size: int) -> tuple[int, int, str]:
        """(offset, size, text) of whole characters, at the end of what was printed."""
        begin = max(offset, size - MOST_TEXT_BYTES)
        logs = self._archive.logs
        data = logs.read(job.stream, job.id, job.attempt, offset=begin, limit=size - begin)
        if begin > offset:
            cut = len(data) - len(data.lstrip(_CONTINUATIONS))
            data, begin = data[cut:], begin + cut
        data = data[: len(data) - unfinished(data)]
        return begin, begin + len(data), data.decode("utf-8", "replace")


_CONTINUATIONS = bytes(range(0x80, 0xC0))  #: of UTF-8: what follows a character's first byte


def unfinished(data: bytes) -> int:
    """How many bytes at the end are the beginning of a UTF-8 character that is not all there."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte not in _CONTINUATIONS:
            length = 1 + (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)
            return back if length > back else 0
    return 0
