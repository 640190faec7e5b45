"""Coming back after a death, and leaving in good order."""

from collections.abc import Collection

from treadle.interfaces import Capacity
from treadle.model.orders import AttemptKey
from treadle.scheduler.settle import Settlement


def recover(settlement: Settlement, alive: Collection[AttemptKey], capacity: Capacity) -> None:
    """Queue again what earlier owners had leased, but for the attempts that are alive.

    What asks for more than this machine has stays queued, and says so.
    """
    for found in settlement.books.leased_jobs():
        job = settlement.books.job(found.id)  # an end before it may have asked for its abort
        if AttemptKey(job.id, job.attempt) not in alive:
            settlement.lose(job)
    for run in settlement.books.unfinished_runs():
        if run.jobs_left == 0:
            settlement.finish(run)
    settlement.books.explain_too_large(capacity, "larger than this machine")


def hand_back(settlement: Settlement) -> None:
    """Queue again what is leased, free of charge: its engine has ended."""
    for job in settlement.books.leased_jobs():
        settlement.lose(job, free=True)
