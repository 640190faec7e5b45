"""Asking for the end of a run or a call, inside one transaction."""

from treadle.errors import Conflict, InvalidRequest
from treadle.model.states import JOB_ENDS, RUN_ENDS, JobState, RunState
from treadle.scheduler.settle import Settlement


def request_abort(settlement: Settlement, run_or_job_id: str) -> None:
    """What never started ends now; the rest when the engine has proof. Again is harmless.

    Raises Conflict if it has ended, InvalidRequest for a job that belongs to a run.
    """
    if run_or_job_id.startswith("run_"):
        _abort_run(settlement, run_or_job_id)
    else:
        _abort_call(settlement, run_or_job_id)


def _abort_run(settlement: Settlement, run_id: str) -> None:
    books = settlement.books
    run = books.run(run_id)
    if run.state in RUN_ENDS:
        raise Conflict(f"Run {run_id} has already ended: it is {run.state}.")
    if run.state is RunState.ABORTING:
        jobs = books.jobs_of(run_id)
        settlement.aborts += [job for job in jobs if job.state is JobState.ABORTING]
    else:
        settlement.abort_run(run)


def _abort_call(settlement: Settlement, job_id: str) -> None:
    job = settlement.books.job(job_id)
    if job.run_id is not None:
        raise InvalidRequest(f"Job {job_id} belongs to a run.", hint=f"Abort the run {job.run_id}.")
    if job.state in JOB_ENDS:
        raise Conflict(f"Job {job_id} has already ended: it is {job.state}.")
    if job.state is JobState.ABORTING:
        settlement.aborts.append(job)
    else:
        settlement.abort_call(job)
