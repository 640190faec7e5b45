"""Idempotency keys: a request that is sent again gets what the first one made."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from treadle.errors import Conflict, NotFound
from treadle.interfaces import Books
from treadle.model.access import Requester
from treadle.model.records import Job, Run
from treadle.scheduler.settle import Settlement


class Made(Protocol):
    """A run or a job."""

    @property
    def id(self) -> str: ...


M = TypeVar("M", bound=Made)
Look = Callable[[Books, str], M]  #: reads by id; raises NotFound


def a_run(books: Books, run_id: str) -> Run:
    return books.run(run_id)


def a_job(books: Books, job_id: str) -> Job:
    return books.job(job_id)


def made_before(books: Books, by: Requester, look: Look[M]) -> M | None:
    """What an earlier request with this key made, as it is now.

    Raises KeyReused if that one asked for something else, Conflict if it was deleted since.
    """
    made = books.claimed(by)
    if made is None:
        return None
    try:
        return look(books, made)
    except NotFound:
        raise Conflict(
            f"A request with the idempotency key {by.key!r} made {made}, which is deleted by now.",
            hint="To make it anew, send the request with a new key.",
        ) from None


def make_once(
    settlement: Settlement, by: Requester, look: Look[M], make: Callable[[Settlement], M]
) -> M:
    """What an earlier request with this key made; else make it, and remember. Raises as that."""
    books = settlement.books
    earlier = made_before(books, by, look)
    if earlier is not None:
        return earlier
    made = make(settlement)
    books.claim(by, made.id, settlement.at)
    return made
