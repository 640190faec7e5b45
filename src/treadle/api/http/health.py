"""Is it alive, does it take work, and who is it."""

import os
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response

import treadle
from treadle.api.http.encode import json_response
from treadle.api.http.state import house_of, principal_of


async def health(request: Request) -> Response:
    """Who the server is, since when, and how busy; and for whom it takes the caller."""
    house, asks = house_of(request), principal_of(request)
    body = {
        "status": _status(request),
        "version": treadle.__version__,
        "pid": os.getpid(),
        "owner": house.owner,
        "url": house.life.url,
        "uptime_seconds": house.life.uptime_seconds,
        "slots": {"total": house.slots, "busy": house.busy()},
        "queue": {
            "unended_jobs": house.scheduler.unended_jobs if house.scheduler is not None else 0,
            "limit": house.queue_limit,
        },
        "followers": house.feeds.followers,
        "data_dir": str(house.data_dir),
        "caller": {"user": asks.user, "scopes": sorted(asks.scopes), "token": asks.token},
    }
    return json_response(body)


async def liveness(request: Request) -> Response:
    """Answers as long as the process serves at all; with our time, to compare clocks by."""
    answer = json_response({"status": "alive"})
    answer.headers["date"] = format_datetime(house_of(request).clock.now(), usegmt=True)
    return answer


async def readiness(request: Request) -> Response:
    """200 while it takes new work; 503 before it has recovered, and while it stops."""
    status = _status(request)
    return json_response({"status": status}, status=200 if status == "ok" else 503)


def _status(request: Request) -> str:
    house = house_of(request)
    if house.scheduler is None:
        return "read-only"
    return {"ready": "ok"}.get(house.life.phase, house.life.phase)
