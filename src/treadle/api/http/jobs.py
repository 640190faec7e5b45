"""Jobs: their state, attempts, logs and outputs."""

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query, whole_id
from treadle.api.http.encode import json_response, ref_body, shallow
from treadle.api.http.sending import ASK_AGAIN, FOREVER, Content, disposition, file_name, send
from treadle.api.http.state import house_of
from treadle.api.http.waiting import until_ended
from treadle.errors import Conflict, NotFound
from treadle.model.graph import nearest
from treadle.model.records import Job
from treadle.model.refs import Ref
from treadle.model.states import JOB_ENDS


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
