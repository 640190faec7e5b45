"""Jobs without a run."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import json_body
from treadle.api.http.encode import json_response
from treadle.api.http.operations import PREFIX
from treadle.api.http.state import requester_of, scheduler_of
from treadle.errors import InvalidRequest
from treadle.model import bindings
from treadle.model.records import Tool
from treadle.model.wire import from_wire


async def post_call(request: Request) -> Response:
    """Begin a job without a run."""
    scheduler = scheduler_of(request)
    body = await json_body(request, ("tool", "arguments", "priority"))
    tool = from_wire(Tool, body.get("tool"), "tool")
    priority = body.get("priority", 0)
    if type(priority) is not int:
        raise InvalidRequest("priority: expected a whole number.")
    arguments = _arguments(body.get("arguments", {}))
    job = await scheduler.call(tool, arguments, priority=priority, by=requester_of(request))
    return json_response(job, 201, location=f"{PREFIX}/jobs/{job.id}")


def _arguments(wire: Any) -> dict[str, bindings.Binding]:
    if not isinstance(wire, dict):
        raise InvalidRequest("arguments: expected an object.")
    return {name: bindings.from_wire(value) for name, value in wire.items()}
