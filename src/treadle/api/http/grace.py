"""How long what is aborted may take to end by itself."""

from typing import Any

from starlette.requests import Request

from treadle.api.http.asked import json_body
from treadle.errors import InvalidRequest


async def asked_grace(request: Request) -> float | None:
    """Seconds, as the body says; None for those that each job asks for.

    Raises InvalidRequest.
    """
    grace: Any = (await json_body(request, ("grace_seconds",))).get("grace_seconds")
    if grace is None:
        return None
    if isinstance(grace, bool) or not isinstance(grace, int | float) or not 0 <= grace < 1e9:
        raise InvalidRequest("grace_seconds: expected a number from 0.")
    return float(grace)
