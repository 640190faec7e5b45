"""The jobs list: calls, or the jobs of a run."""

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import id_of, query
from treadle.api.http.encode import json_response
from treadle.api.http.operations import Query
from treadle.api.http.pages import cursor, number_of, page, place_of
from treadle.api.http.state import house_of
from treadle.interfaces import Books
from treadle.model.records import Job
from treadle.model.states import JobState

MOST_LOOKS = 20  #: for a page of calls of which few fit
FILTERS = (
    Query(name="run", text="The jobs of this run, in the order of its steps; default calls."),
    Query(
        name="state",
        text="Only jobs in this state, or in one of several, with commas between them.",
        choices=tuple(state.value for state in JobState),
        several=True,
    ),
    Query(name="user", text="Only jobs that this user asked for."),
)


async def list_jobs(request: Request) -> Response:
    """A page of the calls, which are jobs without a run, newest first; or of the jobs of a run.

    A page of calls may be shorter than `limit` where few fit: `next` leads on until it is null.
    """
    values = query(request)
    limit = max(1, values["limit"])
    if values["run"] is not None:
        return json_response(_of_run(request, values, limit))
    before = None if values["before"] is None else place_of(values["before"], "calls")[0]
    ledger, found = house_of(request).ledger, list[Job]()
    for _ in range(MOST_LOOKS):
        more, before = ledger.read(_calls(values, before, limit - len(found)))
        found += more
        if before is None or len(found) == limit:
            break
        await anyio.lowlevel.checkpoint()
    following = None if before is None else cursor("calls", before)
    return json_response({"jobs": found, "next": following})


def _calls(
    values: dict[str, Any], before: str | None, limit: int
) -> Callable[[Books], tuple[list[Job], str | None]]:
    return lambda books: books.calls(
        states=values["state"], user=values["user"], before=before, limit=limit
    )


def _of_run(request: Request, values: dict[str, Any], limit: int) -> dict[str, Any]:
    run_id = id_of(request, values["run"], "run")
    after = -1 if values["before"] is None else number_of(values["before"], run_id)

    def look(books: Books) -> list[Job]:
        books.run(run_id)
        return books.jobs_of_run(
            run_id, states=values["state"], user=values["user"], after=after, limit=limit + 1
        )

    found = house_of(request).ledger.read(look)
    return page(
        "jobs", found, limit, lambda job: cursor(run_id, str(job.position)), lambda job: job
    )
