"""Runs: submit, list, look, abort, retry, delete."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import json_body, query, switch, wait_seconds, whole, whole_id
from treadle.api.http.encode import arguments_body, json_response, metric_body, run_body
from treadle.api.http.rules import PREFIX
from treadle.api.http.state import house_of, scheduler_of
from treadle.api.http.waiting import until_ended
from treadle.errors import InvalidRequest
from treadle.interfaces import Books, RunFilter
from treadle.model.graph import nearest
from treadle.model.records import Metric, Run, Submission
from treadle.model.states import RunState
from treadle.model.wire import from_wire

SUBMISSION = tuple(Submission.__dataclass_fields__)
PAGE, LARGEST_PAGE = 50, 1000


def _made(run: Run) -> Response:
    return json_response(run_body(run), 201, location=f"{PREFIX}/runs/{run.id}")


async def post_run(request: Request) -> Response:
    """POST /runs Submission"""
    scheduler = scheduler_of(request)
    body = await json_body(request, SUBMISSION)
    return _made(await scheduler.submit(from_wire(Submission, body)))


async def list_runs(request: Request) -> Response:
    """GET /runs?state=&pipeline=&label=key=value&before=&limit="""
    values = query(request, "state", "pipeline", "label", "before", "limit")
    wanted = _filter(values)
    runs = house_of(request).ledger.read(lambda books: books.runs(wanted))
    following = runs[-1].id if len(runs) == wanted.limit else None
    return json_response({"runs": [run_body(run) for run in runs], "next": following})


def _filter(values: dict[str, str]) -> RunFilter:
    state, label = values.get("state") or None, values.get("label", "")
    if state is not None and state not in set(RunState):
        raise InvalidRequest(
            f"There is no run state {state!r}.", hint=nearest(state, [s.value for s in RunState])
        )
    key, given, value = label.partition("=")
    if label and not given:
        raise InvalidRequest(f"label={label!r}: expected key=value.")
    return RunFilter(
        state=state,
        pipeline=values.get("pipeline") or None,
        label=(key, value) if label else None,
        before=values.get("before") or None,
        limit=max(1, whole(values, "limit", PAGE, most=LARGEST_PAGE)),
    )


async def get_run(request: Request) -> Response:
    """GET /runs/{id}?wait=&jobs=&arguments=: the run, with its jobs and edges unless jobs=false;
    with arguments=true also what each job was given."""
    values = query(request, "wait", "jobs", "arguments")
    ledger, run_id = house_of(request).ledger, whole_id(request, "run")
    await until_ended(request, run_id, wait_seconds(values))
    if not switch(values, "jobs", default=True):
        return json_response(run_body(ledger.read(lambda books: books.run(run_id))))
    run, jobs, edges = ledger.read(
        lambda books: (books.run(run_id), books.jobs_of(run_id), books.edges_of(run_id))
    )
    body = run_body(run) | {"jobs": jobs, "edges": edges}
    if switch(values, "arguments", default=False):
        given = ledger.read(lambda books: books.arguments_in_run(run_id))
        body["arguments"] = {job_id: arguments_body(each) for job_id, each in given.items()}
    return json_response(body)


async def abort_run(request: Request) -> Response:
    """POST /runs/{id}/abort {"grace_seconds"?}"""
    scheduler, run_id = scheduler_of(request), whole_id(request, "run")
    grace = (await json_body(request, ("grace_seconds",))).get("grace_seconds")
    await scheduler.abort(run_id, grace_seconds=_grace(grace))
    return json_response(run_body(house_of(request).ledger.read(lambda b: b.run(run_id))))


def _grace(grace: Any) -> float | None:
    if grace is None:
        return None
    if isinstance(grace, bool) or not isinstance(grace, int | float) or not 0 <= grace < 1e9:
        raise InvalidRequest("grace_seconds: expected a number from 0.")
    return float(grace)


async def retry_run(request: Request) -> Response:
    """POST /runs/{id}/retry"""
    scheduler, run_id = scheduler_of(request), whole_id(request, "run")
    await json_body(request, ())
    return _made(await scheduler.retry(run_id))


async def delete_run(request: Request) -> Response:
    """DELETE /runs/{id}"""
    scheduler, run_id = scheduler_of(request), whole_id(request, "run")
    await scheduler.delete(run_id)
    return Response(status_code=204)


async def get_metrics(request: Request) -> Response:
    """GET /runs/{id}/metrics?last=: all that was logged, in order; with last=true only the last
    value of each metric of each job, in the order of the steps."""
    only_last = switch(query(request, "last"), "last", default=False)
    ledger, run_id = house_of(request).ledger, whole_id(request, "run")

    def look(books: Books) -> list[Metric]:
        books.run(run_id)
        return books.last_metrics_of(run_id) if only_last else books.metrics_of(run_id)

    metrics = ledger.read(look)
    return json_response({"metrics": [metric_body(metric) for metric in metrics]})
