"""JSON answers that stay as they are, for those who have them already."""

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.encode import encode
from treadle.api.http.ranges import is_known
from treadle.api.http.sending import ASK_AGAIN


def unless_known(request: Request, tag: str, body: Any) -> Response:
    """The body; nothing to one who has it. tag: stands for this body and no other of the path.

    What is asked for may be deleted, so caches have to ask again each time.
    """
    etag = f'"{quote(tag)}"'
    headers = {"etag": etag, "cache-control": ASK_AGAIN}
    if is_known(request.headers, etag):
        return Response(status_code=304, headers=headers)
    return Response(encode(body), 200, headers, media_type="application/json")
