"""Accepting work: what a submission, a call or a retry writes, inside one transaction."""

from collections.abc import Container, Iterable, Mapping

from treadle.errors import Conflict, InvalidParameters, MissingBlob
from treadle.interfaces import BlobStore, Books
from treadle.model.bindings import Arguments, Stored, leaves
from treadle.model.records import Job, Pipeline, Run, Tool
from treadle.model.states import JOB_GOOD_ENDS, RUN_ENDS, RunState
from treadle.scheduler.plan import Plan, hold_back, plan_retry
from treadle.scheduler.settle import Settlement


def accept_run(
    settlement: Settlement, pipeline: Pipeline, planned: Plan, sealed: Mapping[str, bytes]
) -> Run:
    """Write a new run; its pipeline's limit may hold it back. sealed: its secrets, by key."""
    books = settlement.books
    books.add_tools(pipeline.tools, planned.run.created_at)
    books.add_pipeline(pipeline, planned.run.created_at)
    final = hold_back(planned) if planned.jobs and _is_full(books, planned.run) else planned
    books.add_run(final.run)
    books.add_secrets(final.run.id, sealed)
    books.add_jobs(final.jobs, final.edges)
    settlement.added += len(final.jobs)
    if final.jobs:
        return final.run
    settlement.finish(final.run)
    return books.run(final.run.id)


def accept_call(settlement: Settlement, tool: Tool, job: Job, arguments: Arguments) -> Job:
    """Write a job without a run."""
    books = settlement.books
    books.add_tools([tool], job.created_at)
    books.add_jobs([(job, arguments)], [])
    books.add_event(job.id, "job.created", job.created_at, job.id, {"step": job.step})
    settlement.added += 1
    return job


def accept_retry(settlement: Settlement, run_id: str, user: str) -> Run:
    """Write an ended run once more, reusing the jobs that completed.

    Raises Conflict if it has not ended, or has completed.
    """
    books = settlement.books
    old = books.run(run_id)
    if old.state not in RUN_ENDS or old.state is RunState.COMPLETED:
        is_over = old.state in RUN_ENDS
        hint = "" if is_over else "It goes on by itself; to begin anew, abort it first."
        raise Conflict(f"Run {run_id} is {old.state}; there is nothing to retry.", hint=hint)
    jobs = books.jobs_of(run_id)
    arguments, edges = books.arguments_in_run(run_id), books.edges_of(run_id)
    planned, new_jobs = plan_retry(old, jobs, arguments, edges, user, settlement.at)
    if _is_full(books, planned.run):
        planned = hold_back(planned)
    books.add_run(planned.run)
    books.add_secrets(planned.run.id, books.secrets_of(run_id))
    books.add_jobs(planned.jobs, planned.edges)
    settlement.added += len(planned.jobs)
    settlement.reuse([(job, new_jobs[job.id]) for job in jobs if job.state in JOB_GOOD_ENDS])
    return books.run(planned.run.id)


def _is_full(books: Books, run: Run) -> bool:
    return run.concurrency is not None and books.count_active(run.pipeline) >= run.concurrency


def require_secrets(tools: Iterable[Tool], keys: Container[str]) -> None:
    """Raises InvalidParameters if a tool takes a secret that is not given."""
    for tool in tools:
        if lacking := [key for key in tool.secrets.values() if key not in keys]:
            raise InvalidParameters(
                f"The tool {tool.name} takes a secret {lacking[0]!r}, which is not given.",
                hint="Send it with the submission, under `secrets`; a call has none.",
            )


def require_blobs(blobs: BlobStore, tools: Iterable[Tool], arguments: Iterable[Arguments]) -> None:
    """Raises MissingBlob if code or a constant that these name is not stored."""
    wanted = {tool.code.digest for tool in tools if tool.code.digest}
    wanted |= {
        leaf.ref.digest
        for each in arguments
        for binding in each.values()
        for leaf in leaves(binding)
        if isinstance(leaf, Stored) and leaf.ref.inline is None
    }
    missing = [digest for digest in wanted if not blobs.has(digest)]
    if missing:
        raise MissingBlob(
            f"{len(missing)} blobs that this names are not stored, first {missing[0]}.",
            hint="Upload them before submitting.",
        )
