"""Jobs without a run.

A tool is sent whole, with arguments as bindings, which needs the scope `run`: it may be any code.
Or it is named, one that the ledger knows, with arguments as plain JSON; this is all that a token
of a scope `call:<tool>` may do.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import json_body
from treadle.api.http.encode import json_response
from treadle.api.http.operations import PREFIX
from treadle.api.http.rights import check_inline, check_tool
from treadle.api.http.state import house_of, principal_of, requester_of, scheduler_of
from treadle.errors import InvalidParameters, InvalidRequest
from treadle.model import bindings
from treadle.model.graph import nearest
from treadle.model.limits import check, check_tools
from treadle.model.records import Tool
from treadle.model.wire import from_wire


async def post_call(request: Request) -> Response:
    """Begin a job without a run.

    tool: a definition, whose arguments are bindings; or a name, or name@version, of a known tool,
    the newest of them, whose arguments are plain JSON.
    """
    scheduler = scheduler_of(request)
    body = await json_body(request, ("tool", "arguments", "priority"))
    tool, arguments = _call(request, body.get("tool"), body.get("arguments", {}))
    priority = body.get("priority", 0)
    if type(priority) is not int:
        raise InvalidRequest("priority: expected a whole number.")
    check("priority", priority, tool.name)
    check_tools([tool])
    job = await scheduler.call(tool, arguments, priority=priority, by=requester_of(request))
    return json_response(job, 201, location=f"{PREFIX}/jobs/{job.id}")


def _call(request: Request, tool: Any, wire: Any) -> tuple[Tool, bindings.Arguments]:
    """Raises Forbidden before anything is looked up."""
    principal = principal_of(request)
    if not isinstance(tool, str):
        check_inline(principal)
        return from_wire(Tool, tool, "tool"), _arguments(wire)
    name, _, version = tool.partition("@")
    check_tool(principal, name)
    found = house_of(request).ledger.read(lambda books: books.tool_named(name, version or None))
    return found, _plain_arguments(found, wire)


def _arguments(wire: Any) -> dict[str, bindings.Binding]:
    return {name: bindings.from_wire(value) for name, value in _object(wire).items()}


def _plain_arguments(tool: Tool, wire: Any) -> dict[str, bindings.Binding]:
    """Raises InvalidParameters for what the tool does not take, or lacks."""
    given = _object(wire)
    known = tool.parameters_schema.get("properties", {})
    for name in given:
        if known and name not in known:
            raise InvalidParameters(
                f"{tool.name} has no parameter {name!r}.", hint=nearest(name, known)
            )
    if lacking := [n for n in tool.parameters_schema.get("required", ()) if n not in given]:
        raise InvalidParameters(f"{tool.name} needs {', '.join(lacking)}.")
    return {name: bindings.Value(value) for name, value in given.items()}


def _object(wire: Any) -> dict[str, Any]:
    if not isinstance(wire, dict):
        raise InvalidRequest("arguments: expected an object.")
    return wire
