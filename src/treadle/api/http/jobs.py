"""Jobs: their state, attempts, logs and outputs."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from treadle.api.http.asked import query, whole_id
from treadle.api.http.encode import json_response, ref_body, shallow
from treadle.api.http.sending import ASK_AGAIN, FOREVER, Content, disposition, file_name, send
from treadle.api.http.state import House, house_of
from treadle.api.http.waiting import until_ended
from treadle.errors import Conflict, NotFound
from treadle.model.graph import nearest
from treadle.model.records import Job
from treadle.model.refs import Ref
from treadle.model.states import JOB_ENDS

READ_BYTES = 256 * 1024
LOG_MEDIA_TYPE = "text/plain; charset=utf-8"


async def get_job(request: Request) -> Response:
    """A job with its attempts and outputs.

    With `wait`, once it has ended, or when that many seconds are over.
    """
    values = query(request)
    ledger, job_id = house_of(request).ledger, whole_id(request, "job")
    await until_ended(request, job_id, values["wait"])
    job, outputs, attempts = ledger.read(
        lambda books: (books.job(job_id), books.outputs_of(job_id), books.attempts_of(job_id))
    )
    body = shallow(job) | {
        "outputs": {name: ref_body(ref) for name, ref in outputs.items()},
        "attempts": attempts,
    }
    return json_response(body)


async def get_output(request: Request) -> Response:
    """The encoded bytes of an output, or a range of them."""
    values = query(request)
    house, job_id = house_of(request), whole_id(request, "job")
    job, outputs = house.ledger.read(lambda books: (books.job(job_id), books.outputs_of(job_id)))
    ref = _output(job, outputs, request.path_params["name"])
    name = file_name(job.step, request.path_params["name"], ref)
    headers = {
        "treadle-codec": ref.codec,
        "content-disposition": disposition(name, download=values["download"]),
    }
    return await send(request, _content(ref, request.path_params["id"] == job_id), headers)


def _content(ref: Ref, stays: bool) -> Content:
    """stays: the path stands for this job for ever, as a prefix of its id does not."""
    return Content(
        digest=ref.digest,
        size_bytes=ref.size_bytes,
        inline=ref.inline,
        media_type=ref.media_type,
        cache=FOREVER if stays else ASK_AGAIN,
    )


def _output(job: Job, outputs: dict[str, Ref], name: str) -> Ref:
    if name in outputs:
        return outputs[name]
    if job.state not in JOB_ENDS:
        raise Conflict(
            f"Step {job.step!r} is {job.state} and has no output yet.", hint="Wait for it to end."
        )
    if not outputs:
        raise Conflict(f"Step {job.step!r} is {job.state} and has no outputs.")
    raise NotFound(f"Step {job.step!r} has no output {name!r}.", hint=nearest(name, outputs))


async def get_log(request: Request) -> Response:
    """What a job printed, as bytes. Following ends when the attempt has ended."""
    values = query(request)
    house, job_id = house_of(request), whole_id(request, "job")
    job = house.ledger.read(lambda books: books.job(job_id))
    attempt = max(job.attempt, 1) if values["attempt"] is None else values["attempt"]
    offset = values["offset"]
    size = house.logs.size(job.stream, job_id, attempt)
    headers = {"treadle-log-size": str(size), "treadle-attempt": str(attempt)}
    if values["limit"] is not None:
        limit = values["limit"]
        data = house.logs.read(job.stream, job_id, attempt, offset=offset, limit=limit)
        return Response(data, 200, headers, LOG_MEDIA_TYPE)
    printed = Printed(house, job, attempt, offset)
    follow = values["follow"] and house.scheduler is not None
    return StreamingResponse(
        printed.followed() if follow else printed.so_far(),
        headers=headers,
        media_type=LOG_MEDIA_TYPE,
    )


class Printed:
    """One reader's place in the log of an attempt."""

    def __init__(self, house: House, job: Job, attempt: int, offset: int) -> None:
        self.house, self.job, self.attempt, self.offset = house, job, attempt, offset

    async def so_far(self) -> AsyncIterator[bytes]:
        """What is there."""
        log = self.house.logs
        while data := log.read(
            self.job.stream, self.job.id, self.attempt, offset=self.offset, limit=READ_BYTES
        ):
            self.offset += len(data)
            yield data

    async def followed(self) -> AsyncIterator[bytes]:
        """What is there, and what will be, until the attempt has ended."""
        assert self.house.scheduler is not None
        with self.house.scheduler.watch.subscribe(self.job.stream) as changes:
            while True:
                ended = self._has_ended()
                async for data in self.so_far():
                    yield data
                if ended:
                    return
                await changes.changes()

    def _has_ended(self) -> bool:
        now = self.house.ledger.read(lambda books: books.job(self.job.id))
        return now.state in JOB_ENDS or now.attempt > self.attempt
