"""Long polls: wait for the end of a run or job, or until the time is over."""

from collections.abc import Callable

import anyio
from starlette.requests import Request

from treadle.api.http.state import house_of
from treadle.model.states import JOB_ENDS, RUN_ENDS


async def until_run_ended(request: Request, run_id: str, wait_seconds: float) -> None:
    """Return when it has ended or the time is over; at once when nobody owns the ledger."""
    ledger = house_of(request).ledger
    await _until(
        request,
        run_id,
        None,
        lambda: ledger.read(lambda books: books.run(run_id)).state in RUN_ENDS,
        wait_seconds,
    )


async def until_job_ended(request: Request, job_id: str, wait_seconds: float) -> None:
    """The same for a job."""
    ledger = house_of(request).ledger
    stream = ledger.read(lambda books: books.job(job_id)).stream
    await _until(
        request,
        stream,
        job_id,
        lambda: ledger.read(lambda books: books.job(job_id)).state in JOB_ENDS,
        wait_seconds,
    )


async def _until(
    request: Request,
    stream: str,
    job_id: str | None,
    done: Callable[[], bool],
    wait_seconds: float,
) -> None:
    """Look again only when the run itself (job_id None), or that job, has moved: a run of many
    steps moves thousands of times, and looking at it costs as much as it is large."""
    scheduler = house_of(request).scheduler
    if scheduler is None or wait_seconds <= 0:
        return
    with scheduler.watch.subscribe(stream) as follower, anyio.move_on_after(wait_seconds):
        while not done():
            while all(c.kind != "event" or c.job_id != job_id for c in await follower.changes()):
                pass
