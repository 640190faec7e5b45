"""The server's figures, for Prometheus."""

import importlib
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.state import house_of

FIGURES = "treadle.api.http.figures"  # what it needs is loaded with the first question: 70 ms
MEDIA_TYPE = "text/plain; version=0.0.4"


async def get_figures(request: Request) -> Response:
    """Counters and gauges of the server, as Prometheus reads them."""
    figures: Any = await to_thread.run_sync(importlib.import_module, FIGURES)
    return Response(figures.exposition(house_of(request)), media_type=MEDIA_TYPE)
