"""Groups: runs that share the label `group`."""

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query
from treadle.api.http.encode import json_response, run_body
from treadle.api.http.operations import LARGEST_PAGE
from treadle.api.http.state import house_of
from treadle.errors import NotFound
from treadle.interfaces import Books, RunFilter
from treadle.model.graph import nearest
from treadle.model.groups import GROUP
from treadle.model.records import Run

NEAR = 200  #: newest groups among which a misspelt one is looked for


async def list_groups(request: Request) -> Response:
    """A page of the groups, newest first, with how many runs are in which state."""
    values = query(request)
    limit, before = max(1, values["limit"]), values["before"]
    found = house_of(request).ledger.read(lambda books: books.groups(before=before, limit=limit))
    following = found[-1].newest if len(found) == limit else None
    return json_response({"groups": found, "next": following})


async def get_group(request: Request) -> Response:
    """Its runs, oldest first; those of their jobs that are under way; and when
    the first step of each run started, by run id."""
    query(request)
    name: str = request.path_params["name"]
    runs, active, began = house_of(request).ledger.read(
        lambda books: (
            _members(books, name),
            books.active_in_group(name),
            books.began_in_group(name),
        )
    )
    bodies = [run_body(run) for run in runs]
    return json_response({"runs": bodies, "active": active, "began": began})


def _members(books: Books, name: str) -> list[Run]:
    found: list[Run] = []
    before: str | None = None
    while page := books.runs(RunFilter(labels=((GROUP, name),), before=before, limit=LARGEST_PAGE)):
        found += page
        before = page[-1].id
    if not found:
        names = [group.name for group in books.groups(limit=NEAR)]
        hint = nearest(name, names) or "`treadle ps --group` lists the groups."
        raise NotFound(f"There is no group {name!r}.", hint=hint)
    return found[::-1]
