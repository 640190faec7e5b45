"""What jobs printed, as it was printed."""

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query, whole_id
from treadle.api.http.live import Live
from treadle.api.http.pacing import Bell, Pacer
from treadle.api.http.state import House, house_of
from treadle.errors import InvalidRequest
from treadle.model.records import Job
from treadle.model.states import JOB_ENDS
from treadle.scheduler import Change

READ_BYTES = 256 * 1024
PAUSE_SECONDS = 0.01  #: between two parts, so that a job that prints much costs few packets
MEDIA_TYPE = "text/plain; charset=utf-8"


async def get_log(request: Request) -> Response:
    """What a job printed, as bytes. Following ends when the attempt has ended."""
    values = query(request)
    house, job_id = house_of(request), whole_id(request, "job")
    job = house.ledger.read(lambda books: books.job(job_id))
    attempt = max(job.attempt, 1) if values["attempt"] is None else values["attempt"]
    offset = values["offset"]
    if values["tail"] is not None:
        if offset:
            raise InvalidRequest("tail and offset: only one of them at a time.")
        offset, _ = house.logs.end(job.stream, job_id, attempt, lines=values["tail"])
    size = house.logs.size(job.stream, job_id, attempt)
    headers = {
        "treadle-log-size": str(size),
        "treadle-log-offset": str(offset),
        "treadle-attempt": str(attempt),
    }
    if values["limit"] is not None:
        limit = values["limit"]
        data = house.logs.read(job.stream, job_id, attempt, offset=offset, limit=limit)
        return Response(data, 200, headers, MEDIA_TYPE)
    printed = Printed(house, job, attempt, offset, follow=values["follow"])
    return Live(house.feeds, printed, media_type=MEDIA_TYPE, headers=headers)


class Printed:
    """A place in the log of an attempt. follow: to the attempt's end, if the house has an owner."""

    def __init__(self, house: House, job: Job, attempt: int, offset: int, *, follow: bool) -> None:
        self.bell = Bell()
        self._house, self._job, self._attempt, self._offset = house, job, attempt, offset
        self._watch = house.scheduler.watch if follow and house.scheduler is not None else None
        self._pacer = Pacer(self.bell.ring, lambda: PAUSE_SECONDS)
        self._moved = True
        self._listening = False

    def tell(self, change: Change) -> None:
        if change.job_id == self._job.id and change.kind in ("output", "event"):
            self._moved |= change.kind == "event"
            self._pacer.ask(urgent=change.kind == "event")

    def take(self) -> bytes | None:
        """The next part; None when the attempt has ended and all of it was taken."""
        self._listen()
        ended = self._watch is None or self._has_ended()
        data = self._house.logs.read(
            self._job.stream, self._job.id, self._attempt, offset=self._offset, limit=READ_BYTES
        )
        self._offset += len(data)
        if data:
            self.bell.ring()  # there may be more
        return data if data or not ended else None

    def _listen(self) -> None:
        if self._watch is not None and not self._listening:
            self._watch.add(self._job.stream, self)
            self._listening = True

    def _has_ended(self) -> bool:
        """Looked up anew after the job has moved."""
        if self._moved:
            job = self._house.ledger.read(lambda books: books.job(self._job.id))
            self._moved = not (job.state not in JOB_ENDS and job.attempt <= self._attempt)
        return self._moved

    def close(self) -> None:
        self._pacer.close()
        if self._watch is not None and self._listening:
            self._watch.forget(self._job.stream, self)
