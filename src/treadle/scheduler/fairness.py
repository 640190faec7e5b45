"""Whose turn it is: users share the slots, and large jobs are passed by only for so long.

Higher priority goes first over all. Among jobs of equal priority the user with the fewest slots in
use comes next; among these, who was served longest ago. A user's jobs keep their order, but while
the first of them does not fit, smaller ones pass it, for `PATIENCE_SECONDS`; from then on it comes
before all of its priority, and what becomes free is kept for it.
"""

import heapq
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from treadle.interfaces import Books, Capacity, Head
from treadle.model.records import Job

PATIENCE_SECONDS = 10.0  #: how long a large job at the head lets smaller ones pass
MOST_REMEMBERED = 10_000  #: users who were served and have nothing queued


def fits(job: Job, room: Capacity) -> bool:
    asks = job.execution
    return (
        room.slots > 0
        and asks.cpus <= room.cpus
        and (asks.memory_bytes or 0) <= room.memory_bytes
        and asks.gpus <= room.gpus
    )


class Memory:
    """What is known from earlier turns: who was served when, and whose head is passed by."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._passed: dict[str, tuple[str, float]] = {}  # user -> (job, monotonic time)
        self._turns = 0

    def forget_all_but(self, users: Iterable[str]) -> None:
        """Users who have nothing queued pass nobody by, and need not be remembered for ever."""
        if self._passed:
            queued = set(users)
            self._passed = {user: at for user, at in self._passed.items() if user in queued}
        if len(self._served) > MOST_REMEMBERED:
            queued = set(users)
            self._served = {user: n for user, n in self._served.items() if user in queued}

    def remembered(self) -> set[str]:
        """Users."""
        return {*self._served, *self._passed}

    def last_served(self, user: str) -> int:
        """The number of the turn; 0 = not that anybody knows."""
        return self._served.get(user, 0)

    def serve(self, user: str, job_id: str) -> int:
        """The job is leased; the number of its turn."""
        self._turns += 1
        self._served[user] = self._turns
        if self._passed and self._passed.get(user, ("", 0.0))[0] == job_id:
            del self._passed[user]
        return self._turns

    def pass_by(self, user: str, job_id: str, monotonic: float) -> None:
        """This job at the head of the user's queue is passed by, from now on at the latest."""
        known = self._passed.get(user)
        if known is None or known[0] != job_id:
            self._passed[user] = (job_id, monotonic)

    def impatient_since(self, user: str, job_id: str, monotonic: float) -> float | None:
        """When the head of the user's queue was passed by first, if that is too long ago."""
        known = self._passed.get(user) if self._passed else None
        if known is None or known[0] != job_id or monotonic - known[1] <= PATIENCE_SECONDS:
            return None
        return known[1]


@dataclass(slots=True)
class Line:
    """One user's queue, as far as this turn has looked. Lines compare by whose turn it is."""

    user: str
    head: str = ""  #: the id of the first job that is to be leased
    priority: int = 0
    in_use: int = 0  #: slots
    served: int = 0
    impatient_since: float | None = None
    jobs: deque[Job] | None = None  #: None: not read yet
    is_small: bool = False  #: the jobs are those that fit what was left, behind one that does not

    def __lt__(self, other: "Line") -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[float, float, int, int, str]:
        patience = float("inf") if self.impatient_since is None else self.impatient_since
        return (-self.priority, patience, self.in_use, self.served, self.head)


class Lines:
    """The queue as one turn sees it: `take` gives one job after the other."""

    def __init__(
        self,
        books: Books,
        capacity: Capacity,
        memory: Memory,
        slot_users: Iterable[str],
        monotonic: float,
    ) -> None:
        """slot_users: of each slot that is taken, by whom."""
        self._books, self._capacity = books, capacity
        self._memory, self._monotonic = memory, monotonic
        users = books.users_in_queue()
        memory.forget_all_but(users)
        if len(users) == 1:  # the rule, and every step pays for it: nobody to compare with
            self._lines = [Line(user=users[0])]
            return
        in_use = Counter(slot_users)
        self._lines = [self._line(head, in_use[head.user]) for head in books.heads_of_queue()]
        heapq.heapify(self._lines)

    def _line(self, head: Head, in_use: int) -> Line:
        return Line(
            user=head.user,
            head=head.job_id,
            priority=head.priority,
            in_use=in_use,
            served=self._memory.last_served(head.user),
            impatient_since=self._memory.impatient_since(head.user, head.job_id, self._monotonic),
        )

    def take(self, room: Capacity) -> Job | None:
        """The job whose turn it is, of those that fit the room; None: no more in this turn."""
        while self._lines:
            line = heapq.heappop(self._lines)
            job = self._first(line, room)
            if job is None:
                continue
            if job.id != line.head:  # not the one that it stood in line with
                self._put_back(line, job)
            elif fits(job, room):
                return self._served(line, job)
            elif line.impatient_since is not None:
                self._lines.clear()
            else:
                self._pass_by(line, job, room)
        return None

    def _first(self, line: Line, room: Capacity) -> Job | None:
        if line.jobs is None:  # what is larger than the whole machine holds up nobody
            found = self._books.queued_jobs(line.user, self._capacity, room.slots)
            line.jobs = deque(found)
        while line.is_small and line.jobs and not fits(line.jobs[0], room):
            line.jobs.popleft()
        return line.jobs[0] if line.jobs else None

    def _put_back(self, line: Line, job: Job) -> None:
        line.head, line.priority = job.id, job.priority
        line.impatient_since = self._memory.impatient_since(line.user, job.id, self._monotonic)
        heapq.heappush(self._lines, line)

    def _served(self, line: Line, job: Job) -> Job:
        assert line.jobs is not None
        line.jobs.popleft()
        line.in_use += 1
        line.served = self._memory.serve(line.user, job.id)
        if line.jobs:
            self._put_back(line, line.jobs[0])
        return job

    def _pass_by(self, line: Line, job: Job, room: Capacity) -> None:
        """Its smaller ones may go now, in their own turn; it remembers since when."""
        self._memory.pass_by(line.user, job.id, self._monotonic)
        line.jobs = deque(self._books.queued_jobs(line.user, room, room.slots))
        line.is_small = True
        if line.jobs:
            self._put_back(line, line.jobs[0])
