"""A job's whole outcome as one document: for programs, and for people to look at."""

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query, whole_id
from treadle.api.http.encode import encode, metric_body
from treadle.api.http.jobs import job_body
from treadle.api.http.report_page import page_of
from treadle.api.http.state import house_of
from treadle.interfaces import Books

TAIL_LINES = 100
HEADERS = {
    "cache-control": "private, no-cache",
    "vary": "Accept",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


async def get_report(request: Request) -> Response:
    """All about a job: what it was given, its attempts and how they ended, outputs, metrics, log.

    A web page where the header Accept asks for text/html, else JSON.
    """
    query(request)
    house, job_id = house_of(request), whole_id(request, "job")

    def look(books: Books) -> dict[str, Any]:
        metrics = [metric_body(metric) for metric in books.last_metrics_of_job(job_id)]
        return {"job": job_body(books, job_id, arguments=True), "metrics": metrics}

    body = house.ledger.read(look)
    stream, attempt = body["job"]["run_id"] or job_id, max(body["job"]["attempt"], 1)
    size = house.logs.size(stream, job_id, attempt)
    offset, tail = await to_thread.run_sync(
        lambda: house.logs.end(stream, job_id, attempt, lines=TAIL_LINES)
    )
    body["log"] = {
        "attempt": attempt,
        "size_bytes": size,
        "offset": offset,
        "tail": tail.decode("utf-8", "replace"),
    }
    if _wants_page(request.headers.get("accept", "")):
        return Response(page_of(body), 200, HEADERS, media_type="text/html")
    return Response(encode(body), 200, HEADERS, media_type="application/json")


def _wants_page(accept: str) -> bool:
    """Of the two media types there are, which one is preferred (RFC 9110, 12.5.1)."""
    weights = {"application/json": 0.0, "text/html": 0.0}
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        if kind in weights:
            weights[kind] = max(weights[kind], _weight(parameters))
    return weights["text/html"] > weights["application/json"]


def _weight(parameters: list[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
