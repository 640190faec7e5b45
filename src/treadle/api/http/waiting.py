"""Long polls: wait for the end of a run or job, or until the time is over."""

from starlette.requests import Request

from treadle.api.http.state import house_of


async def until_ended(request: Request, run_or_job_id: str, wait_seconds: float) -> None:
    """Return when it has ended or the time is over; at once when nobody owns the ledger."""
    scheduler = house_of(request).scheduler
    if scheduler is not None and wait_seconds > 0:
        await scheduler.wait(run_or_job_id, timeout_seconds=wait_seconds)
