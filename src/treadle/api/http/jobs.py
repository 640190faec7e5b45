"""Jobs: their state, attempts, logs and outputs."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query, whole_id
from treadle.api.http.encode import (
    arguments_body,
    json_response,
    metric_body,
    ref_body,
    shallow,
    tool_summary,
)
from treadle.api.http.grace import asked_grace
from treadle.api.http.pages import cursor, number_of, page
from treadle.api.http.sending import (
    ASK_AGAIN,
    FOREVER,
    Content,
    disposition,
    file_name,
    in_header,
    send,
)
from treadle.api.http.state import house_of, scheduler_of
from treadle.api.http.waiting import until_ended
from treadle.errors import Conflict, NotFound
from treadle.interfaces import Books
from treadle.model.graph import nearest
from treadle.model.records import Job, Metric
from treadle.model.refs import Ref
from treadle.model.states import JOB_ENDS


async def get_job(request: Request) -> Response:
    """A job with its attempts and outputs.

    With `wait`, once it has ended, or when that many seconds are over.
    """
    values = query(request)
    ledger, job_id = house_of(request).ledger, whole_id(request, "job")
    await until_ended(request, job_id, values["wait"])
    return json_response(
        ledger.read(lambda books: job_body(books, job_id, arguments=values["arguments"]))
    )


def job_body(books: Books, job_id: str, *, arguments: bool) -> dict[str, Any]:
    """A job with its tool, its attempts and its outputs."""
    job = books.job(job_id)
    body = shallow(job) | {
        "tool": tool_summary(books.tool(job.tool_id)),
        "outputs": {name: ref_body(ref) for name, ref in books.outputs_of(job_id).items()},
        "attempts": books.attempts_of(job_id),
    }
    if arguments:
        body["arguments"] = arguments_body(books.arguments_of(job_id))
    return body


async def abort_job(request: Request) -> Response:
    """Ask for the end of a call: SIGTERM to its processes, SIGKILL after the grace.

    A job of a run ends with its run.
    """
    query(request)
    scheduler, job_id = scheduler_of(request), whole_id(request, "job")
    await scheduler.abort(job_id, grace_seconds=await asked_grace(request))
    ledger = house_of(request).ledger
    return json_response(ledger.read(lambda books: job_body(books, job_id, arguments=False)))


async def get_job_metrics(request: Request) -> Response:
    """A page of what a job logged, in order."""
    values = query(request)
    limit, job_id = max(1, values["limit"]), whole_id(request, "job")
    after = _metric_after(values["before"], job_id)

    def look(books: Books) -> list[Metric]:
        books.job(job_id)
        return books.metrics_page(job_id, name=values["name"], after=after, limit=limit + 1)

    def place(metric: Metric) -> str:
        return cursor(job_id, str(metric.id))

    found = house_of(request).ledger.read(look)
    return json_response(page("metrics", found, limit, place, metric_body))


def _metric_after(before: str | None, job_id: str) -> int:
    return 0 if before is None else number_of(before, job_id)


async def list_outputs(request: Request) -> Response:
    """The outputs of a job: their sizes, media types and codecs."""
    query(request)
    ledger, job_id = house_of(request).ledger, whole_id(request, "job")
    _, outputs = ledger.read(lambda books: (books.job(job_id), books.outputs_of(job_id)))
    named = [{"name": name} | ref_body(ref) for name, ref in sorted(outputs.items())]
    return json_response({"outputs": named, "next": None})


async def get_output(request: Request) -> Response:
    """The encoded bytes of an output, or a range of them."""
    values = query(request)
    house, job_id = house_of(request), whole_id(request, "job")
    job, outputs = house.ledger.read(lambda books: (books.job(job_id), books.outputs_of(job_id)))
    ref = _output(job, outputs, request.path_params["name"])
    name = file_name(job.step, request.path_params["name"], ref)
    headers = {
        "treadle-codec": in_header(ref.codec),
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
