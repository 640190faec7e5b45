"""The OpenAPI 3.1 document, made of the table of operations."""

import hashlib
import inspect
import re
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

import treadle
from treadle.api.http.asked import query
from treadle.api.http.encode import encode
from treadle.api.http.operations import PREFIX, Operation, Query
from treadle.api.http.problems import MEDIA_TYPE, STATUS, TITLES
from treadle.api.http.ranges import is_known
from treadle.errors import codes
from treadle.model.records import Event
from treadle.schemas import answers
from treadle.schemas.json_schema import PLACE, Schema, Shapes

JSON, EVENTS, YAML = "application/json", "text/event-stream", "application/yaml"
BYTES: Schema = {"type": "string", "format": "binary"}
SERVER_SENT: Schema = {
    "type": "object",
    "description": "One of the server-sent events. Transient ones have no id.",
    "properties": {
        "id": {"type": "string"},
        "data": {
            "type": "string",
            "contentMediaType": JSON,
            "contentSchema": {"$ref": f"{PLACE}Event"},
        },
    },
    "required": ["data"],
}
TEXT: Schema = {"type": "string"}
TEXT_OF: dict[str, Schema] = {YAML: {"description": "A pipeline file."}}
ID = "^(latest|[0-9a-z_]{1,64})$"
KINDS: dict[str, Schema] = {
    "text": {"type": "string"},
    "whole": {"type": "integer", "minimum": 0},
    "number": {"type": "number", "minimum": 0},
    "switch": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
}
PATH_PARAMETERS: dict[str, Schema] = {
    "id": {"pattern": ID, "description": "The id, or so much of it as only one has."},
    "digest": {"pattern": "^[0-9a-f]{64}$", "description": "BLAKE3 of the bytes."},
}
INTRODUCTION = """One server, one ledger, one artifact store.

Every error is a problem document (RFC 9457) with a stable `code` and a `hint` that says the next
step. Requests that make something take an `Idempotency-Key`: sent again with the same key, they
answer with what was made the first time. Lists are paged: `next` of one page is `before` of the
following one. What is asked for over WebSocket is described with the GET of the same path."""
TOKEN = """`Authorization: Bearer TOKEN`. Scopes: read < data < run < admin, each with those before
it; call:<tool> may call that one tool by its name. The token of the owner is in the file
`owner.token` in the data directory; `treadle token create` makes others."""
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Sent again with the same key, the request makes nothing new (24 hours).",
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[ -~]*$"},
}
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that is known: what comes after it is sent.",
    "schema": {"type": "string", "pattern": "^[0-9]{0,18}$"},
}
OF_BYTES = tuple(
    {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
    for name, text in (
        ("Range", "One range, as `bytes=0-99`; of several all is sent."),
        ("If-Range", "The ETag that the range is of; of another all is sent."),
        ("If-None-Match", "ETags of what is known: that is not sent again (304)."),
    )
)
TITLES_OF_GOOD = {
    200: "As asked",
    201: "Made",
    204: "Done",
    206: "The range",
    304: "It is as the caller has it",
}
LEADS_TO = {  #: operation -> (path, its parameter, where in the answer it is)
    "post_run": ("/runs/{id}", "id", "/id"),
    "retry_run": ("/runs/{id}", "id", "/id"),
    "list_runs": ("/runs/{id}", "id", "/runs/0/id"),
    "get_run": ("/jobs/{id}", "id", "/jobs/0/id"),
    "post_call": ("/jobs/{id}", "id", "/id"),
    "put_blob": ("/blobs/{digest}", "digest", "/digest"),
    "post_snapshot": ("/snapshots/{digest}", "digest", "/digest"),
    "post_token": ("/tokens/{name}", "name", "/name"),
    "list_tools": ("/tools/{name}", "name", "/tools/0/name"),
    "list_pipelines": ("/pipelines/{name}", "name", "/pipelines/0/name"),
    "list_groups": ("/groups/{name", "name", "/groups/0/name"),
}
OF_MADE = {"Location": "Where to look at what was made."}
OF_SENT = {"ETag": "Stands for these bytes.", "Accept-Ranges": "bytes"}


def document() -> dict[str, Any]:
    """The whole document."""
    components: dict[str, Schema] = {}
    asked, answered = Shapes(components, asked=True), Shapes(components, asked=False)
    answered.of(Event)
    answered.of(answers.EventsMessage)
    paths: dict[str, Any] = {}
    every = _operations()
    sockets = {each.path: each for each in every if each.method == "WEBSOCKET"}
    for each in every:
        if each.method != "WEBSOCKET":
            path = re.sub(r":path}", "}", each.path)
            described = _operation(each, asked, answered, sockets.get(each.path))
            paths.setdefault(path, {})[each.method.lower()] = described
    answered.of(answers.Problem)
    components["Problem"]["properties"]["code"]["enum"] = codes()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Treadle",
            "version": treadle.__version__,
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in every)],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": TOKEN}
            },
        },
    }


def _operation(
    each: Operation, asked: Shapes, answered: Shapes, socket: Operation | None
) -> dict[str, Any]:
    text = inspect.getdoc(each.handler) or ""
    if socket is not None:
        text += f"\n\nOver WebSocket, at the same path: {inspect.getdoc(socket.handler)}"
    described: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.tag],
        "summary": " ".join(text.split("\n\n")[0].split()),
        "description": text,
        "security": [{"token": [each.scope]}] if each.scope else [],
        "parameters": _parameters(each),
        "responses": _responses(each, answered),
    }
    if each.body is not None:
        described["requestBody"] = _body(each, asked)
    return described


def _parameters(each: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True} | _path_parameter(name)
        for name in re.findall(r"{(\w+)", each.path)
    ]
    found += map(_query, each.query)
    found += [IDEMPOTENCY_KEY] if each.creates else []
    found += [LAST_EVENT_ID] if each.answer == EVENTS else []
    return found + list(OF_BYTES if each.ranges else ())


def _path_parameter(name: str) -> dict[str, Any]:
    known = PATH_PARAMETERS.get(name, {})
    text = known.get("description", "")
    schema = {"type": "string", "minLength": 1} | {
        word: value for word, value in known.items() if word != "description"
    }
    return {"schema": schema} | ({"description": text} if text else {})


def _query(each: Query) -> dict[str, Any]:
    schema = dict(KINDS[each.kind])
    if each.choices:
        schema["enum"] = list(each.choices)
    if each.several:
        schema = {"type": "array", "items": schema}
    elif each.default is not None:
        schema["default"] = each.default
    text = each.text
    if each.most is not None:
        text += f" At most {each.most:g}; more counts as that."
    return {"name": each.name, "in": "query", "description": text, "schema": schema}


def _body(each: Operation, asked: Shapes) -> dict[str, Any]:
    kinds = each.body if isinstance(each.body, tuple) else (each.body,)
    content = {
        kind: {"schema": TEXT_OF.get(kind, BYTES)} for kind in kinds if isinstance(kind, str)
    }
    shapes = [asked.of(kind) for kind in kinds if not isinstance(kind, str)]
    if shapes:
        schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
        content = {JSON: {"schema": schema}, **content}
    return {"required": each.needs_body, "content": content}


def _responses(each: Operation, answered: Shapes) -> dict[str, Any]:
    good = _good(each.status, each.answer, answered)
    headers = dict(each.headers) | (OF_MADE if each.creates else {})
    headers |= OF_SENT if each.ranges else {}
    if links := _links(each):
        good["links"] = links
    if headers:
        good["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        }
    problem = {"schema": answered.of(answers.Problem)}
    bad = {
        str(status): {"description": TITLES[status], "content": {MEDIA_TYPE: problem}}
        for status in _bad(each)
    }
    found = bad | {str(each.status): good}
    if each.ranges:
        found["206"] = good | {"description": TITLES_OF_GOOD[206]}
        found["304"] = _good(304, None, answered)
    for status, answer in each.also.items():
        found[str(status)] = _good(status, answer, answered)
    return dict(sorted(found.items()))


def _links(each: Operation) -> dict[str, Any]:
    """To the operations on what this answer names."""
    path, parameter, place = LEADS_TO.get(each.name, ("", "", ""))
    return {
        there.name: {
            "operationId": there.name,
            "parameters": {parameter: f"$response.body#{place}"},
        }
        for there in (_operations() if path else ())
        if there.path.startswith(PREFIX + path) and there.method != "WEBSOCKET"
    }


def _good(status: int, answer: Any, answered: Shapes) -> dict[str, Any]:
    text = {"description": TITLES_OF_GOOD.get(status, TITLES.get(status, ""))}
    return text | ({} if answer is None else {"content": _content(answer, answered)})


def _content(answer: Any, answered: Shapes) -> dict[str, Any]:
    if isinstance(answer, tuple):
        return {media: kind for each in answer for media, kind in _content(each, answered).items()}
    if answer == EVENTS:
        return {answer: {"schema": SERVER_SENT}}
    if isinstance(answer, str):
        return {answer: {"schema": TEXT if answer.startswith("text/") else {}}}
    return {JSON: {"schema": answered.of(answer)}}


def _bad(each: Operation) -> list[int]:
    """The statuses of errors that an operation may come to."""
    never = set()
    if each.scope is None:
        never |= {401, 429}
    if each.body is None and not each.writes:
        never |= {413, 422, 507}
    if not each.ranges:
        never |= {416}
    return sorted({*STATUS.values()} - {405} - never)


def _operations() -> tuple[Operation, ...]:
    from treadle.api.http.routes import OPERATIONS  # noqa: PLC0415 - names the handler below

    return OPERATIONS


@cache
def _encoded() -> tuple[bytes, str]:
    """(the document, its ETag)"""
    body = encode(document())
    return body, f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


async def get_openapi(request: Request) -> Response:
    """This document."""
    query(request)
    body, etag = _encoded()
    headers = {"etag": etag, "cache-control": "no-cache"}
    if is_known(request.headers, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, JSON)
