"""Groups: runs that share the label `group`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query
from treadle.api.http.encode import json_response, run_body
from treadle.api.http.pages import cursor, page, place_of
from treadle.api.http.state import house_of
from treadle.errors import NotFound
from treadle.interfaces import Books, RunFilter
from treadle.model.graph import nearest
from treadle.model.groups import GROUP

NEAR = 200  #: newest groups among which a misspelt one is looked for


async def list_groups(request: Request) -> Response:
    """A page of the groups, newest first, with how many runs are in which state."""
    values = query(request)
    limit = max(1, values["limit"])
    before = None if values["before"] is None else place_of(values["before"], "groups")[0]
    found = house_of(request).ledger.read(
        lambda books: books.groups(before=before, limit=limit + 1)
    )
    return json_response(
        page("groups", found, limit, lambda each: cursor("groups", each.newest), lambda each: each)
    )


async def get_group(request: Request) -> Response:
    """A page of a group's runs, oldest first, with those of their jobs that are under way.

    `began` tells when the first step of each run started, by run id.
    """
    values, name = query(request), request.path_params["name"]
    limit = max(1, values["limit"])
    before = None if values["before"] is None else place_of(values["before"], f"group {name}")[0]
    wanted = RunFilter(labels=((GROUP, name),), oldest_first=True, before=before, limit=limit + 1)

    def look(books: Books) -> dict[str, Any]:
        found = books.runs(wanted)
        if not found and before is None:
            raise _not_found(books, name)
        body = page("runs", found, limit, lambda run: cursor(f"group {name}", run.id), run_body)
        shown = [run.id for run in found[:limit]] or [""]
        return body | {
            "active": books.active_in_group(name, first=shown[0], last=shown[-1]),
            "began": books.began_in_group(name, first=shown[0], last=shown[-1]),
        }

    return json_response(house_of(request).ledger.read(look))


def _not_found(books: Books, name: str) -> NotFound:
    names = [group.name for group in books.groups(limit=NEAR)]
    hint = nearest(name, names) or "`treadle ps --group` lists the groups."
    return NotFound(f"There is no group {name!r}.", hint=hint)
