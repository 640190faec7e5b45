"""Runs: submit, list, look, abort, retry, delete."""

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import json_body, query, whole_id
from treadle.api.http.documents import (
    HINTS,
    PIPELINE_RUN,
    is_yaml,
    of_object,
    of_yaml,
    refuse_options,
)
from treadle.api.http.encode import (
    arguments_body,
    json_response,
    metric_body,
    run_body,
    tool_summary,
)
from treadle.api.http.grace import asked_grace
from treadle.api.http.operations import PREFIX
from treadle.api.http.state import house_of, requester_of, scheduler_of
from treadle.api.http.unchanged import unless_known
from treadle.api.http.waiting import until_ended
from treadle.errors import InvalidRequest
from treadle.interfaces import Books
from treadle.model.limits import check_submission
from treadle.model.records import Metric, Run, Submission
from treadle.model.states import RUN_ENDS
from treadle.model.wire import from_wire

LONG_RUN = 500  #: steps
SUBMISSION = tuple(Submission.__dataclass_fields__)


def _made(run: Run) -> Response:
    return json_response(run_body(run), 201, location=f"{PREFIX}/runs/{run.id}")


async def _submission(request: Request) -> Submission:
    """Read; what is long in a thread, so that others are answered meanwhile."""
    if is_yaml(request):
        return _checked(await of_yaml(request))
    body = await json_body(request, (*SUBMISSION, *PIPELINE_RUN), hints=HINTS)
    if "document" in body:
        return _checked(await of_object(request, body))
    refuse_options(request)
    for key in body:
        if key not in SUBMISSION:
            raise InvalidRequest(f"{key} goes with `document`.")
    pipeline = body.get("pipeline")
    steps = pipeline.get("steps") if isinstance(pipeline, dict) else None
    if not isinstance(steps, list) or len(steps) < LONG_RUN:
        return _read(body)
    return await to_thread.run_sync(_read, body)


def _read(body: dict[str, Any]) -> Submission:
    return _checked(from_wire(Submission, body))


def _checked(submission: Submission) -> Submission:
    check_submission(submission)
    return submission


async def post_run(request: Request) -> Response:
    """Begin a run of a pipeline: of a pipeline file under `document`, or one sent as YAML, or of
    the records that these come to.

    With `wait`, answered once it has ended, or when that many seconds are over.
    """
    scheduler, by, wait = scheduler_of(request), requester_of(request), query(request)["wait"]
    run = scheduler.run_made_for(by)  # before a long body is made sense of once more
    if run is None:
        run = await scheduler.submit(await _submission(request), by=by)
    if not wait:
        return _made(run)
    run_id = run.id
    await until_ended(request, run_id, wait)
    return _made(house_of(request).ledger.read(lambda books: books.run(run_id)))


async def get_run(request: Request) -> Response:
    """A run with its jobs, their tools and edges. One that has ended has an ETag.

    With `wait`, once it has ended, or when that many seconds are over.
    """
    values = query(request)
    ledger, run_id = house_of(request).ledger, whole_id(request, "run")
    await until_ended(request, run_id, values["wait"])
    body = ledger.read(lambda books: _detail(books, run_id, values))
    if body["state"] not in RUN_ENDS:
        return json_response(body)
    parts = "".join(str(int(values[name])) for name in ("jobs", "arguments"))
    return unless_known(request, f"{run_id}-{body['ended_at'].timestamp()}-{parts}", body)


def _detail(books: Books, run_id: str, values: dict[str, Any]) -> dict[str, Any]:
    body = run_body(books.run(run_id))
    if not values["jobs"]:
        return body
    jobs = books.jobs_of(run_id)
    tools = dict.fromkeys(job.tool_id for job in jobs)
    body |= {
        "jobs": jobs,
        "tools": {tool_id: tool_summary(books.tool(tool_id)) for tool_id in tools},
        "edges": books.edges_of(run_id),
    }
    if values["arguments"]:
        given = books.arguments_in_run(run_id)
        body["arguments"] = {job_id: arguments_body(each) for job_id, each in given.items()}
    return body


async def abort_run(request: Request) -> Response:
    """Ask for a run's end: SIGTERM to what runs, SIGKILL after the grace."""
    scheduler, run_id = scheduler_of(request), whole_id(request, "run")
    await scheduler.abort(run_id, grace_seconds=await asked_grace(request))
    return json_response(run_body(house_of(request).ledger.read(lambda b: b.run(run_id))))


async def retry_run(request: Request) -> Response:
    """A new run of what did not complete; steps that completed are reused."""
    scheduler, run_id = scheduler_of(request), whole_id(request, "run")
    await json_body(request, ())
    return _made(await scheduler.retry(run_id, by=requester_of(request)))


async def delete_run(request: Request) -> Response:
    """Forget an ended run with its logs."""
    scheduler, run_id = scheduler_of(request), whole_id(request, "run")
    await scheduler.delete(run_id)
    return Response(status_code=204)


async def get_metrics(request: Request) -> Response:
    """What the jobs of a run logged, in order."""
    only_last = query(request)["last"]
    ledger, run_id = house_of(request).ledger, whole_id(request, "run")

    def look(books: Books) -> list[Metric]:
        books.run(run_id)
        return books.last_metrics_of(run_id) if only_last else books.metrics_of(run_id)

    metrics = ledger.read(look)
    return json_response({"metrics": [metric_body(metric) for metric in metrics]})
