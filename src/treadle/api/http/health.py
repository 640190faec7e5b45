"""Is it alive, and who is it."""

import os

from starlette.requests import Request
from starlette.responses import Response

import treadle
from treadle.api.http.encode import json_response
from treadle.api.http.state import house_of


async def health(request: Request) -> Response:
    """Who the owner is, and how busy."""
    house = house_of(request)
    body = {
        "status": "ok" if house.scheduler is not None else "read-only",
        "version": treadle.__version__,
        "pid": os.getpid(),
        "owner": house.owner,
        "slots": {"total": house.slots, "busy": house.busy()},
        "data_dir": str(house.data_dir),
    }
    return json_response(body)
