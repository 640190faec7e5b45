"""Operations on what jobs left behind: a part of the one table in `routes`."""

from treadle.api.http import jobs, jobs_list, log_search, report
from treadle.api.http.operations import PREFIX, Operation, Query
from treadle.api.http.parameters import ATTEMPT, BEFORE, LIMIT
from treadle.schemas import bodies
from treadle.schemas import jobs as shapes

JOB_ROUTES: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs",
        handler=jobs_list.list_jobs,
        scope="read",
        tag="jobs",
        answer=shapes.JobsPage,
        query=(*jobs_list.FILTERS, BEFORE, LIMIT),
    ),
    Operation(
        method="POST",
        path=f"{PREFIX}/jobs/{{id}}/abort",
        handler=jobs.abort_job,
        scope="run",
        tag="jobs",
        body=bodies.Abort,
        needs_body=False,
        answer=shapes.JobDetails,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{id}}/metrics",
        handler=jobs.get_job_metrics,
        scope="read",
        tag="jobs",
        answer=shapes.MetricsPage,
        query=(Query(name="name", text="Only the metric of this name."), BEFORE, LIMIT),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{id}}/report",
        handler=report.get_report,
        scope="read",
        tag="jobs",
        answer=(shapes.JobReport, "text/html"),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{id}}/log/search",
        handler=log_search.search_log,
        scope="read",
        tag="jobs",
        answer=shapes.LogLines,
        query=(
            Query(name="text", text="What to look for, in one line."),
            Query(
                name="ignore_case",
                text="Capital and small letters are the same.",
                kind="switch",
                default=False,
            ),
            ATTEMPT,
            BEFORE,
            LIMIT,
        ),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/jobs/{{id}}/outputs",
        handler=jobs.list_outputs,
        scope="read",
        tag="jobs",
        answer=shapes.OutputsPage,
    ),
)
