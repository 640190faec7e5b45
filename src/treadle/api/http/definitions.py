"""Tools and pipelines: by name, by version, and one of them whole."""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query
from treadle.api.http.encode import json_response, run_body, tool_summary
from treadle.api.http.operations import Query
from treadle.api.http.pages import cursor, page, place_of
from treadle.api.http.state import house_of
from treadle.api.http.unchanged import unless_known
from treadle.errors import InvalidRequest, NotFound
from treadle.interfaces import Books
from treadle.model.catalogue import KnownPipeline, KnownTool, NamedPipeline, NamedTool
from treadle.model.graph import nearest
from treadle.model.wire import to_wire

NEAR = 200  #: names among which a misspelt one is looked for
NAME = Query(name="name", text="Only those whose names begin so.")


async def list_tools(request: Request) -> Response:
    """A page of the tools by name, each with its newest version."""
    values = query(request)
    limit, prefix = max(1, values["limit"]), values["name"] or ""
    after = _after(values["before"], "tools")
    found = house_of(request).ledger.read(
        lambda books: books.tool_names(prefix=prefix, after=after, limit=limit + 1)
    )
    return json_response(
        page("tools", found, limit, lambda each: cursor("tools", each.name), _named_tool)
    )


async def get_tool(request: Request) -> Response:
    """A page of the versions of a tool, the newest first."""
    values, name = query(request), request.path_params["name"]
    limit, before = max(1, values["limit"]), _added(values["before"], "versions")

    def look(books: Books) -> list[KnownTool]:
        found = books.tools_of_name(name, before=before, limit=limit + 1)
        if not found and before is None:
            names = [each.name for each in books.tool_names(prefix="", after="", limit=NEAR)]
            raise NotFound(f"There is no tool {name!r}.", hint=nearest(name, names))
        return found

    def place(known: KnownTool) -> str:
        return cursor("versions", known.added_at.isoformat(), known.tool.id)

    found = house_of(request).ledger.read(look)
    return json_response({"name": name} | page("versions", found, limit, place, _tool_version))


async def get_tool_version(request: Request) -> Response:
    """The definition of a tool: of a version, or of an id. Secrets are named, not told."""
    query(request)
    name, version = request.path_params["name"], request.path_params["version"]
    known = house_of(request).ledger.read(lambda books: books.tool_of_version(name, version))
    body = to_wire(known.tool) | {"added_at": known.added_at}
    return unless_known(request, known.tool.id, body)


async def list_pipelines(request: Request) -> Response:
    """A page of the pipelines by name, each with its newest version and its last run."""
    values = query(request)
    limit, prefix = max(1, values["limit"]), values["name"] or ""
    after = _after(values["before"], "pipelines")

    def look(books: Books) -> dict[str, Any]:
        found = books.pipeline_names(prefix=prefix, after=after, limit=limit + 1)
        return page(
            "pipelines",
            found,
            limit,
            lambda each: cursor("pipelines", each.name),
            lambda each: _named_pipeline(books, each),
        )

    return json_response(house_of(request).ledger.read(look))


async def get_pipeline(request: Request) -> Response:
    """A page of the versions of a pipeline, the newest first."""
    values, name = query(request), request.path_params["name"]
    limit, before = max(1, values["limit"]), _added(values["before"], "versions")

    def look(books: Books) -> list[KnownPipeline]:
        found = books.pipelines_of_name(name, before=before, limit=limit + 1)
        if not found and before is None:
            names = [each.name for each in books.pipeline_names(prefix="", after="", limit=NEAR)]
            raise NotFound(f"There is no pipeline {name!r}.", hint=nearest(name, names))
        return found

    def place(known: KnownPipeline) -> str:
        return cursor("versions", known.added_at.isoformat(), known.version)

    found = house_of(request).ledger.read(look)
    body = page("versions", found, limit, place, _pipeline_version)
    return json_response({"name": name} | body)


async def get_pipeline_version(request: Request) -> Response:
    """A version of a pipeline: its parameters, its last run, and the steps that this run had."""
    query(request)
    name, version = request.path_params["name"], request.path_params["version"]

    def look(books: Books) -> dict[str, Any]:
        known = books.pipeline_of_version(name, version)
        last = books.last_run_of_version(name, version)
        return {
            "name": name,
            **_pipeline_version(known),
            "parameters_schema": known.parameters_schema,
            "last_run": None if last is None else run_body(books.run(last)),
            "steps": [] if last is None else _steps(books, last),
        }

    return json_response(house_of(request).ledger.read(look))


def _steps(books: Books, run_id: str) -> list[dict[str, Any]]:
    jobs = books.jobs_of(run_id)
    names = {job.id: job.step for job in jobs}
    parents: dict[str, list[str]] = {}
    for parent, child in books.edges_of(run_id):
        parents.setdefault(child, []).append(names[parent])
    return [
        {
            "name": job.step,
            "tool": tool_summary(books.tool(job.tool_id)),
            "parents": parents.get(job.id, []),
        }
        for job in jobs
    ]


def _named_tool(named: NamedTool) -> dict[str, Any]:
    newest = _tool_version(named.newest)
    return {"name": named.name, "versions": named.versions, "newest": newest}


def _tool_version(known: KnownTool) -> dict[str, Any]:
    return tool_summary(known.tool) | {"added_at": known.added_at}


def _named_pipeline(books: Books, named: NamedPipeline) -> dict[str, Any]:
    last = None if named.last_run is None else books.run(named.last_run)
    return {
        "name": named.name,
        "versions": named.versions,
        "newest": _pipeline_version(named.newest),
        "runs": named.runs,
        "last_run": None
        if last is None
        else {name: getattr(last, name) for name in ("id", "state", "created_at", "ended_at")},
    }


def _pipeline_version(known: KnownPipeline) -> dict[str, Any]:
    return {
        "version": known.version,
        "description": known.description,
        "added_at": known.added_at,
    }


def _after(before: str | None, order: str) -> str:
    return "" if before is None else place_of(before, order)[0]


def _added(before: str | None, order: str) -> tuple[datetime, str] | None:
    if before is None:
        return None
    added, which = place_of(before, order, 2)
    try:
        return datetime.fromisoformat(added), which
    except ValueError:
        raise InvalidRequest(f"before={before[:80]!r} is no cursor.") from None
