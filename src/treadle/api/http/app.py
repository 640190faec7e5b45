"""The application: every route on one page."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from treadle.api.http import blobs, calls, events, gc, groups, health, jobs, runs, snapshots
from treadle.api.http.gate import Gate
from treadle.api.http.rules import PREFIX
from treadle.api.http.state import House

ROUTES: list[BaseRoute] = [
    Route(f"{PREFIX}/health", health.health, methods=["GET"]),
    Route(f"{PREFIX}/blobs", blobs.post_blobs, methods=["POST"]),
    Route(f"{PREFIX}/blobs/missing", blobs.missing_blobs, methods=["POST"]),
    Route(f"{PREFIX}/blobs/{{digest}}", blobs.put_blob, methods=["PUT"]),
    Route(f"{PREFIX}/blobs/{{digest}}", blobs.get_blob, methods=["GET"]),
    Route(f"{PREFIX}/snapshots", snapshots.post_snapshot, methods=["POST"]),
    Route(f"{PREFIX}/snapshots/{{digest}}", snapshots.renew_snapshot, methods=["POST"]),
    Route(f"{PREFIX}/calls", calls.post_call, methods=["POST"]),
    Route(f"{PREFIX}/jobs/{{id}}", jobs.get_job, methods=["GET"]),
    Route(f"{PREFIX}/jobs/{{id}}/log", jobs.get_log, methods=["GET"]),
    Route(f"{PREFIX}/jobs/{{id}}/outputs/{{name}}", jobs.get_output, methods=["GET"]),
    Route(f"{PREFIX}/runs", runs.post_run, methods=["POST"]),
    Route(f"{PREFIX}/runs", runs.list_runs, methods=["GET"]),
    Route(f"{PREFIX}/runs/{{id}}", runs.get_run, methods=["GET"]),
    Route(f"{PREFIX}/runs/{{id}}", runs.delete_run, methods=["DELETE"]),
    Route(f"{PREFIX}/runs/{{id}}/abort", runs.abort_run, methods=["POST"]),
    Route(f"{PREFIX}/runs/{{id}}/retry", runs.retry_run, methods=["POST"]),
    Route(f"{PREFIX}/runs/{{id}}/events", events.get_events, methods=["GET"]),
    Route(f"{PREFIX}/runs/{{id}}/metrics", runs.get_metrics, methods=["GET"]),
    Route(f"{PREFIX}/groups", groups.list_groups, methods=["GET"]),
    Route(f"{PREFIX}/groups/{{name:path}}", groups.get_group, methods=["GET"]),
    Route(f"{PREFIX}/gc", gc.post_gc, methods=["POST"]),
]


def create_app(house: House) -> Starlette:
    """The ASGI application over one house; it opens and closes nothing."""
    gate = Middleware(Gate, routes=ROUTES, house=house)
    app = Starlette(routes=ROUTES, middleware=[gate])
    app.router.redirect_slashes = False
    app.state.house = house
    return app
