"""Records as JSON bodies: msgspec does the records as they stand, we do the few exceptions."""

import math
from dataclasses import fields
from functools import cache
from typing import Any

import msgspec
from starlette.responses import Response

from treadle.model import bindings
from treadle.model.bindings import Arguments
from treadle.model.records import Metric, Run, Tool
from treadle.model.refs import Ref

Body = dict[str, Any]


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


def shallow(record: Any) -> Body:
    """The fields of a record, each as it is."""
    kind: Any = type(record)
    return {name: getattr(record, name) for name in _names(kind)}


def run_body(run: Run) -> Body:
    body = shallow(run)
    if run.output is not None:
        body["output"] = bindings.to_wire(run.output)
    return body


def arguments_body(arguments: Arguments) -> Body:
    return {name: bindings.to_wire(binding) for name, binding in arguments.items()}


def ref_body(ref: Ref) -> Body:
    """Without the inline bytes: they have a route of their own."""
    body = ref.to_wire()
    body.pop("inline", None)
    return body


def tool_summary(tool: Tool) -> Body:
    """What lists and pictures tell of a tool."""
    return {
        "id": tool.id,
        "name": tool.name,
        "version": tool.version,
        "kind": tool.kind,
        "description": tool.description,
    }


def metric_body(metric: Metric) -> Body:
    """JSON has no NaN and no infinity: these values go as "nan", "inf" and "-inf"."""
    body = shallow(metric)
    if not math.isfinite(metric.value):
        body["value"] = str(metric.value)
    return body


def encode(body: Any) -> bytes:
    return msgspec.json.encode(body)


def json_response(body: Any, status: int = 200, *, location: str = "") -> Response:
    headers = {"location": location} if location else None
    return Response(encode(body), status, headers, media_type="application/json")
