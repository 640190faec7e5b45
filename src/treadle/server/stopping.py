"""How a server ends: the grace in which running jobs may finish."""

from collections.abc import Callable

import anyio

from treadle.server.build import OpenHouse
from treadle.server.signals import Asked


async def wind_down(
    house: OpenHouse, grace_seconds: float, asked: Asked, tell: Callable[[str], None]
) -> None:
    """Take nothing new; let running jobs finish within the grace, or until asked again.

    What is left is handed back to the queue when the house closes.
    """
    house.life.stop(grace_seconds)
    house.scheduler.stop_leasing()
    busy = house.scheduler.busy_slots
    if busy and grace_seconds > 0 and not asked.at_once.is_set():
        what = "a job that runs" if busy == 1 else f"{busy} jobs that run"
        tell(f"stopping: waiting up to {grace_seconds:g}s for {what}; again to stop at once")
        await _first_of(_idle(house), asked.at_once.wait(), anyio.sleep(grace_seconds))
    if left := house.scheduler.busy_slots:
        tell(f"handing back {left} {'job' if left == 1 else 'jobs'} to the queue")


async def _idle(house: OpenHouse) -> None:
    """Wait until nothing runs."""
    with house.scheduler.watch.subscribe(None) as moves:
        while house.scheduler.busy_slots:
            await moves.changes()


async def _first_of(*ways: object) -> None:
    async with anyio.create_task_group() as group:

        async def wait(way: object) -> None:
            await way  # type: ignore[misc]
            group.cancel_scope.cancel()

        for way in ways:
            group.start_soon(wait, way)
