"""The operations about events."""

from treadle.api.http import events
from treadle.api.http.openapi import EVENTS
from treadle.api.http.operations import PREFIX, Operation, Query

KIND = Query(
    name="kind",
    text="Only these kinds of events, comma separated; `job` has `job.failed` and all others.",
)
FOLLOW = Query(name="follow", text="Go on with what comes.", kind="switch", default=True)
OF_EVENTS = (
    Query(
        name="after",
        text="From which event's number on; default 0. The header Last-Event-ID goes first.",
    ),
    KIND,
    Query(
        name="output",
        text="With what jobs print, as `text` of `job.output`.",
        kind="switch",
        default=False,
    ),
    FOLLOW,
)
OF_ALL_EVENTS = (
    Query(
        name="after",
        text="The `cursor` of an event, to go on from there; 0 is the beginning. Default: from now"
        " on; without `follow`, the beginning. The header Last-Event-ID goes first.",
    ),
    KIND,
    Query(name="user", text="Only of runs and calls of this user."),
    Query(name="pipeline", text="Only of runs of the pipeline of this name."),
    Query(
        name="transient",
        text="With `job.progress`, `job.metrics` and `job.output`, too.",
        kind="switch",
        default=False,
    ),
    FOLLOW,
)

EVENT_ROUTES: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=f"{PREFIX}/events",
        handler=events.get_all_events,
        scope="read",
        tag="events",
        answer=EVENTS,
        query=OF_ALL_EVENTS,
    ),
    Operation(
        method="WEBSOCKET",
        path=f"{PREFIX}/events",
        handler=events.follow_all_events,
        scope="read",
        tag="events",
        query=OF_ALL_EVENTS,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/runs/{{id}}/events",
        handler=events.get_events,
        scope="read",
        tag="events",
        answer=EVENTS,
        query=OF_EVENTS,
    ),
    Operation(
        method="WEBSOCKET",
        path=f"{PREFIX}/runs/{{id}}/events",
        handler=events.follow_events,
        scope="read",
        tag="events",
        query=OF_EVENTS,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{id}}/events",
        handler=events.get_job_events,
        scope="read",
        tag="events",
        answer=EVENTS,
        query=OF_EVENTS,
    ),
    Operation(
        method="WEBSOCKET",
        path=f"{PREFIX}/jobs/{{id}}/events",
        handler=events.follow_job_events,
        scope="read",
        tag="events",
        query=OF_EVENTS,
    ),
)
