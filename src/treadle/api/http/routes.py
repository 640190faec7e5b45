"""Every operation of the API, in one table. A route that is not here does not exist."""

from treadle.api.http import (
    audit,
    blobs,
    calls,
    definitions,
    events,
    gc,
    groups,
    health,
    jobs,
    logs,
    runs,
    runs_list,
    snapshots,
    tokens,
)
from treadle.api.http.operations import LARGEST_PAGE, PAGE, PREFIX, Operation, Query

MOST_BYTES = 16 * 1024 * 1024  #: of a log in one answer that is not streamed
LONGEST_WAIT_SECONDS = 3600.0
WAIT = Query(
    name="wait",
    text="Seconds to wait for the end.",
    kind="number",
    default=0.0,
    most=LONGEST_WAIT_SECONDS,
)
BEFORE = Query(name="before", text="The `next` of the page before.")
LIMIT = Query(
    name="limit", text="Entries in one answer.", kind="whole", default=PAGE, most=LARGEST_PAGE
)
KIND = Query(
    name="kind",
    text="Only these kinds of events, comma separated; `job` has `job.failed` and all others.",
)
FOLLOW = Query(name="follow", text="Go on with what comes.", kind="switch", default=True)
OF_EVENTS = (
    Query(
        name="after",
        text="From which event's number on; default the header Last-Event-ID, or 0.",
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
        text="The `cursor` of an event, to go on from there; 0 is the beginning. Default the header"
        " Last-Event-ID, or from now on; without `follow`, the beginning.",
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

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET", path=f"{PREFIX}/health", handler=health.health, scope="read", tag="server"
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/health/live",
        handler=health.liveness,
        scope=None,
        tag="server",
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/health/ready",
        handler=health.readiness,
        scope=None,
        tag="server",
    ),
    # blobs and snapshots
    Operation(
        method="POST",
        path=f"{PREFIX}/blobs",
        handler=blobs.post_blobs,
        scope="data",
        tag="blobs",
        status=201,
        streams=True,
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/blobs/missing",
        handler=blobs.missing_blobs,
        scope="data",
        tag="blobs",
        asks_only=True,
    ),
    Operation(
        method="PUT",
        path=f"{PREFIX}/blobs/{{digest}}",
        handler=blobs.put_blob,
        scope="data",
        tag="blobs",
        status=201,
        streams=True,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/blobs/{{digest}}",
        handler=blobs.get_blob,
        scope="read",
        tag="blobs",
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/snapshots",
        handler=snapshots.post_snapshot,
        scope="data",
        tag="blobs",
        status=201,
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/snapshots/{{digest}}",
        handler=snapshots.renew_snapshot,
        scope="data",
        tag="blobs",
        asks_only=True,
    ),
    # jobs
    Operation(
        method="POST",
        path=f"{PREFIX}/calls",
        handler=calls.post_call,
        scope="call",
        tag="jobs",
        status=201,
        creates=True,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{id}}",
        handler=jobs.get_job,
        scope="read",
        tag="jobs",
        query=(WAIT,),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{id}}/log",
        handler=logs.get_log,
        scope="read",
        tag="jobs",
        query=(
            Query(name="attempt", text="Which attempt; default the last.", kind="whole"),
            Query(name="offset", text="From which byte on.", kind="whole", default=0),
            Query(
                name="limit",
                text="How many bytes; default all there are.",
                kind="whole",
                most=MOST_BYTES,
            ),
            Query(
                name="follow", text="Go on until the attempt's end.", kind="switch", default=False
            ),
        ),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{id}}/outputs/{{name}}",
        handler=jobs.get_output,
        scope="read",
        tag="jobs",
        query=(
            Query(
                name="download",
                text="For a browser to keep as a file.",
                kind="switch",
                default=False,
            ),
        ),
    ),
    # runs
    Operation(
        method="POST",
        path=f"{PREFIX}/runs",
        handler=runs.post_run,
        scope="run",
        tag="runs",
        query=(WAIT,),
        status=201,
        creates=True,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/runs",
        handler=runs_list.list_runs,
        scope="read",
        tag="runs",
        query=(*runs_list.FILTERS, BEFORE, LIMIT),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/runs/{{id}}",
        handler=runs.get_run,
        scope="read",
        tag="runs",
        query=(
            WAIT,
            Query(name="jobs", text="With its jobs and edges.", kind="switch", default=True),
            Query(
                name="arguments",
                text="With what each job was given.",
                kind="switch",
                default=False,
            ),
        ),
    ),
    Operation(
        method="DELETE",
        path=f"{PREFIX}/runs/{{id}}",
        handler=runs.delete_run,
        scope="run",
        tag="runs",
        status=204,
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/runs/{{id}}/abort",
        handler=runs.abort_run,
        scope="run",
        tag="runs",
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/runs/{{id}}/retry",
        handler=runs.retry_run,
        scope="run",
        tag="runs",
        status=201,
        creates=True,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/runs/{{id}}/metrics",
        handler=runs.get_metrics,
        scope="read",
        tag="runs",
        query=(
            Query(
                name="last",
                text="Only the last value of each metric of each job, in the order of the steps.",
                kind="switch",
                default=False,
            ),
        ),
    ),
    # events
    Operation(
        method="GET",
        path=f"{PREFIX}/events",
        handler=events.get_all_events,
        scope="read",
        tag="events",
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
    # tools and pipelines; names may hold slashes, so versions come first
    Operation(
        method="GET",
        path=f"{PREFIX}/tools",
        handler=definitions.list_tools,
        scope="read",
        tag="tools",
        query=(definitions.NAME, BEFORE, LIMIT),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/tools/{{name:path}}/versions/{{version}}",
        handler=definitions.get_tool_version,
        scope="read",
        tag="tools",
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/tools/{{name:path}}",
        handler=definitions.get_tool,
        scope="read",
        tag="tools",
        query=(BEFORE, LIMIT),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/pipelines",
        handler=definitions.list_pipelines,
        scope="read",
        tag="pipelines",
        query=(definitions.NAME, BEFORE, LIMIT),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/pipelines/{{name:path}}/versions/{{version}}",
        handler=definitions.get_pipeline_version,
        scope="read",
        tag="pipelines",
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/pipelines/{{name:path}}",
        handler=definitions.get_pipeline,
        scope="read",
        tag="pipelines",
        query=(BEFORE, LIMIT),
    ),
    # groups
    Operation(
        method="GET",
        path=f"{PREFIX}/groups",
        handler=groups.list_groups,
        scope="read",
        tag="groups",
        query=(BEFORE, LIMIT),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/groups/{{name:path}}",
        handler=groups.get_group,
        scope="read",
        tag="groups",
    ),
    # who may ask, and who did
    Operation(
        method="POST",
        path=f"{PREFIX}/tokens",
        handler=tokens.post_token,
        scope="admin",
        tag="access",
        status=201,
        creates=True,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/tokens",
        handler=tokens.list_tokens,
        scope="admin",
        tag="access",
    ),
    Operation(
        method="DELETE",
        path=f"{PREFIX}/tokens/{{name}}",
        handler=tokens.delete_token,
        scope="admin",
        tag="access",
        status=204,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/audit",
        handler=audit.list_audit,
        scope="admin",
        tag="access",
        query=(Query(name="user", text="Only what this user did."), BEFORE, LIMIT),
    ),
    # upkeep
    Operation(method="POST", path=f"{PREFIX}/gc", handler=gc.post_gc, scope="admin", tag="server"),
)
