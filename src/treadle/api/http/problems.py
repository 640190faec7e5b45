"""Errors as RFC 9457 problem documents; the one table from error to status."""

import math

import msgspec
from starlette.responses import Response

from treadle import errors
from treadle.errors import TreadleError

STATUS: dict[type[TreadleError], int] = {
    errors.UserMistake: 400,
    errors.InvalidDefinition: 422,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.RangeNotSatisfiable: 416,
    errors.KeyReused: 422,
    errors.JobError: 409,
    errors.Aborted: 409,
    errors.Unavailable: 503,
    errors.Busy: 429,
    errors.StorageFull: 507,
    errors.CodecError: 422,
    errors.MissingBlob: 404,
    errors.StaleMove: 409,
    TreadleError: 500,
}  #: an error that is not here has the status of the nearest class above it

TITLES = {
    400: "The request makes no sense",
    401: "No valid token",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible in the present state",
    413: "Too large",
    416: "No such range",
    422: "The request cannot be carried out as it is",
    429: "Too much at a time",
    500: "A rule of our own was broken",
    503: "Not available now",
    507: "The disk is full",
}
MEDIA_TYPE = "application/problem+json"


def status_of(error: TreadleError) -> int:
    """The status of the nearest class that has one."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(error: TreadleError) -> Response:
    """The problem document of an error."""
    status = status_of(error)
    document = {
        "type": f"urn:treadle:error:{error.code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
    }
    if error.details:
        document["details"] = error.details
    body = msgspec.json.encode(document, enc_hook=str)
    return Response(body, status_code=status, headers=_headers(error), media_type=MEDIA_TYPE)


def _headers(error: TreadleError) -> dict[str, str]:
    """What HTTP wants to be said with a status (RFC 9110, 15.5)."""
    if isinstance(error, errors.Unauthorized):
        return {"www-authenticate": "Bearer"}
    if isinstance(error, errors.MethodNotAllowed):
        return {"allow": ", ".join(error.details.get("allow", ()))}
    if isinstance(error, errors.RangeNotSatisfiable):
        return {"content-range": f"bytes */{error.details.get('size_bytes', 0)}"}
    if isinstance(error, errors.Busy) or "retry_after_seconds" in error.details:
        return {"retry-after": str(math.ceil(error.details.get("retry_after_seconds", 1)))}
    return {}
