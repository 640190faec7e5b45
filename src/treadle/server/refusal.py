"""What a connection is told that gets no further than its own protocol: a problem document."""

import json
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from treadle.api.http.problems import MEDIA_TYPE, TITLES


def refusal(status: int, code: str, why: str) -> bytes:
    """The whole answer, in bytes."""
    document = {
        "type": f"urn:treadle:error:{code}",
        "title": TITLES.get(status, HTTPStatus(status).phrase),
        "status": status,
        "detail": why,
        "code": code,
        "hint": "",
    }
    body = json.dumps(document).encode()
    retry = b"retry-after: 1\r\n" if status == 503 else b""
    length = str(len(body)).encode()
    return (
        STATUS_LINE[status]
        + b"content-type: "
        + MEDIA_TYPE.encode()
        + b"\r\n"
        + retry
        + b"content-length: "
        + length
        + b"\r\nconnection: close\r\n\r\n"
        + body
    )
