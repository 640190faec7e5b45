"""A submission becomes a run and its jobs: which wait, which may start, what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from treadle.errors import InvalidDefinition, TooLarge
from treadle.interfaces import Capacity
from treadle.model import graph
from treadle.model.bindings import Arguments
from treadle.model.ids import new_id
from treadle.model.records import Execution, Job, Run, Submission
from treadle.model.states import JOB_GOOD_ENDS, JobState, RunState

TEN_YEARS_SECONDS = 10 * 365 * 86400
MOST = {
    "cpus": 1e6,
    "memory_bytes": 2**60,
    "gpus": 1e6,
    "timeout_seconds": TEN_YEARS_SECONDS,
    "retries": 1e9,
    "backoff_seconds": TEN_YEARS_SECONDS,
    "backoff_limit_seconds": TEN_YEARS_SECONDS,
    "grace_seconds": TEN_YEARS_SECONDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Records ready for the books; nothing is written yet."""

    run: Run
    jobs: Sequence[tuple[Job, Arguments]]
    edges: Sequence[tuple[str, str]]  #: (parent job, child job)


def plan(submission: Submission, user: str, capacity: Capacity, at: datetime) -> Plan:
    """Check the submission and lay it out. The run is `running`; jobs without parents `queued`.

    Raises InvalidDefinition (not a DAG over known tools), TooLarge (asks for more than there is).
    """
    pipeline = submission.pipeline
    tools = {tool.id: tool for tool in pipeline.tools}
    parents = graph.check(pipeline.steps, tools)
    run_id = new_id("run")
    ids = {step.name: new_id("job") for step in pipeline.steps}
    jobs = []
    for position, step in enumerate(pipeline.steps):
        execution = step.execution or tools[step.tool_id].execution
        refuse_impossible(step.name, execution, capacity, step.where)
        above = parents[step.name]
        job = Job(
            id=ids[step.name],
            run_id=run_id,
            step=step.name,
            tool_id=step.tool_id,
            state=JobState.WAITING if above else JobState.QUEUED,
            execution=execution,
            created_at=at,
            position=position,
            user=user,
            priority=submission.priority,
            parents_left=len(above),
            reason="parent" if above else "slot",
        )
        jobs.append((job, step.arguments))
    edges = [(ids[parent], ids[name]) for name, above in parents.items() for parent in above]
    run = Run(
        id=run_id,
        pipeline=pipeline.name,
        pipeline_version=pipeline.version,
        state=RunState.RUNNING,
        created_at=at,
        started_at=at,
        parameters=submission.parameters,
        labels=submission.labels,
        output=pipeline.output,
        source=submission.source,
        user=user,
        priority=submission.priority,
        fail_fast=submission.fail_fast,
        concurrency=pipeline.concurrency,
        jobs_total=len(jobs),
        jobs_left=len(jobs),
    )
    return Plan(run=run, jobs=jobs, edges=edges)


def hold_back(planned: Plan) -> Plan:
    """The same plan for a run that its pipeline's limit holds back."""
    return Plan(
        run=replace(planned.run, state=RunState.QUEUED, started_at=None, reason="limit"),
        jobs=[
            (replace(job, state=JobState.WAITING, reason="limit"), arguments)
            for job, arguments in planned.jobs
        ],
        edges=planned.edges,
    )


def plan_retry(
    old: Run,
    jobs: Sequence[Job],
    arguments: Mapping[str, Arguments],
    edges: Sequence[tuple[str, str]],
    user: str,
    at: datetime,
) -> tuple[Plan, dict[str, Job]]:
    """The run once more; returns the plan and {old job's id: new job}.

    Jobs that ended well wait in the new run, until whoever writes it reuses them; the others are
    queued, but for those that wait for each other.
    """
    run_id = new_id("run")
    good = {job.id for job in jobs if job.state in JOB_GOOD_ENDS}
    above = dict.fromkeys((job.id for job in jobs), 0)
    for parent, child in edges:
        above[child] += parent not in good
    new = {}
    for job in jobs:
        waits = job.id in good or above[job.id] > 0
        new[job.id] = Job(
            id=new_id("job"),
            run_id=run_id,
            step=job.step,
            tool_id=job.tool_id,
            state=JobState.WAITING if waits else JobState.QUEUED,
            execution=job.execution,
            created_at=at,
            position=job.position,
            user=user,
            priority=job.priority,
            parents_left=above[job.id],
            reason="parent" if waits else "slot",
        )
    run = replace(
        old,
        id=run_id,
        state=RunState.RUNNING,
        created_at=at,
        started_at=at,
        ended_at=None,
        user=user,
        retry_of=old.id,
        jobs_left=len(jobs),
        jobs_failed=0,
        reason="",
    )
    renewed = [(job, arguments[old_id]) for old_id, job in new.items()]
    return Plan(run=run, jobs=renewed, edges=[(new[p].id, new[c].id) for p, c in edges]), new


def refuse_impossible(name: str, execution: Execution, capacity: Capacity, where: str = "") -> None:
    """Raises InvalidDefinition for figures without sense, TooLarge for more than there is."""
    _refuse_senseless(name, execution, where)
    _refuse_too_large(name, execution, capacity, where)


def _refuse_senseless(name: str, execution: Execution, where: str) -> None:
    at_least = {
        "cpus": (execution.cpus, 0),
        "memory_bytes": (execution.memory_bytes, 1),
        "gpus": (execution.gpus, 0),
        "timeout_seconds": (execution.timeout_seconds, 0),
        "retries": (execution.retries, 0),
        "backoff_seconds": (execution.backoff_seconds, 0),
        "backoff_limit_seconds": (execution.backoff_limit_seconds, 0),
        "grace_seconds": (execution.grace_seconds, 0),
    }
    for what, (value, least) in at_least.items():
        if value is not None and not least <= value <= MOST[what]:
            raise InvalidDefinition(
                f"step {name!r} has {what}={value:g}; it must be from {least} to {MOST[what]:g}.",
                where=where,
            )


def _refuse_too_large(name: str, execution: Execution, capacity: Capacity, where: str) -> None:
    """Raises TooLarge if no amount of waiting would make room."""
    asks = [
        ("CPUs", execution.cpus, capacity.cpus),
        ("GPUs", execution.gpus, capacity.gpus),
        ("GB of memory", (execution.memory_bytes or 0) / 1e9, capacity.memory_bytes / 1e9),
    ]
    for what, wanted, there_is in asks:
        if wanted > there_is:
            place = f"{where}: " if where else ""
            raise TooLarge(
                f"{place}step {name!r} asks for {wanted:.3g} {what}; "
                f"this machine has {there_is:.3g}.",
                hint="Ask for less, or run it on a larger machine.",
            )
