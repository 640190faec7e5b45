"""How many jobs have not ended, counted in memory, and how many may be there at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from treadle.errors import Busy, TooLarge

QUEUE_LIMIT = 1_000_000  #: jobs that have not ended
RETRY_AFTER_SECONDS = 5


class Backlog:
    """Counts jobs from their acceptance to their end, of all runs and calls."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0

    @contextmanager
    def adding(self, jobs: int) -> Iterator[None]:
        """Keep room for jobs that are being written, so that others cannot take it meanwhile.

        Whoever has written them counts them by `moved`. Raises Busy, or TooLarge for what could
        not even be accepted if nothing else were there.
        """
        if jobs > self.limit:
            raise TooLarge(
                f"This has {jobs} jobs; no more than {self.limit} may be there at a time.",
                hint="Split it, or raise the setting `queue_limit`.",
            )
        if self.count + jobs > self.limit:
            raise Busy(
                f"The queue is full: {self.count} jobs have not ended, {self.limit} may be there, "
                f"and this would add {jobs}.",
                hint="Try again when some have ended, or raise the setting `queue_limit`.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        self.count += jobs
        try:
            yield
        finally:
            self.count -= jobs

    def moved(self, *, added: int, ended: int) -> None:
        """Count what a committed transaction did."""
        self.count += added - ended
