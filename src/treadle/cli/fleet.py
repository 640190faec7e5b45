"""What is known of a group of runs while it is followed.

Pure: messages go in, rows are read out.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle.model.groups import Goal, Measured, rank, varying
from treadle.model.records import Job, Run
from treadle.model.states import RUN_ENDS, JobState, RunState


@dataclass(slots=True)
class Fleet:
    """The runs that were begun, oldest first. total: how many there will be."""

    name: str
    total: int = 0
    loaded: int = 0  #: how many have been read and checked; nothing begins before all have
    runs: dict[str, Run] = field(default_factory=dict)
    active: dict[str, list[Job]] = field(default_factory=dict)  #: run id -> jobs under way
    measured: dict[str, Mapping[str, float]] = field(default_factory=dict)
    began: dict[str, datetime] = field(default_factory=dict)  #: run id -> its first step's start
    _varying: tuple[int, tuple[str, ...]] = (0, ())

    def begin(self, run: Run) -> None:
        self.runs[run.id] = run

    def tell(self, runs: Iterable[Run], active: Iterable[Job], measured: Measured) -> list[Run]:
        """Take in how the group stands; the runs that have ended since."""
        ended = []
        for run in runs:
            before = self.runs.get(run.id)
            if before is None:  # begun by others, or earlier
                continue
            if run.state in RUN_ENDS and before.state not in RUN_ENDS:
                ended.append(run)
            self.runs[run.id] = run
        self.active = {}
        for job in active:
            self.active.setdefault(job.run_id or "", []).append(job)
        self.measured.update(measured)
        return ended

    @property
    def ended(self) -> int:
        return sum(run.state in RUN_ENDS for run in self.runs.values())

    @property
    def is_over(self) -> bool:
        """All that was begun has ended."""
        return self.ended == len(self.runs)

    def counts(self) -> Counter[JobState]:
        """How many runs are in which state, in the words for a job: many wait for their turn."""
        return Counter(self.state_of(run) for run in self.runs.values())

    def state_of(self, run: Run) -> JobState:
        """A run of which nothing has started yet is queued."""
        untouched = run.jobs_left == run.jobs_total and run.id not in self.active
        if run.state is RunState.QUEUED or (run.state is RunState.RUNNING and untouched):
            return JobState.QUEUED
        return JobState(run.state.value)

    def varying(self) -> tuple[str, ...]:
        """Names of the parameters that are not the same for all."""
        count, names = self._varying
        if count != len(self.runs):
            names = varying(run.parameters for run in self.runs.values())
            self._varying = (len(self.runs), names)
        return names

    def most_telling(self, most: int, goal: Goal | None) -> list[Run]:
        """The runs worth a row each where not all find room: what is under way, what failed, then
        the best or else the latest of those that ended, then what comes next.

        With a goal the ended ones stand first, the best on top; without one, the oldest.
        """
        chosen = heapq.nsmallest(most, self.runs.values(), key=lambda run: self._place(run, goal))
        if goal is None:
            return sorted(chosen, key=lambda run: run.id)
        return sorted(chosen, key=lambda run: (rank(run, self._metrics(run), goal), run.id))

    def _place(self, run: Run, goal: Goal | None) -> tuple[int, Any, str]:
        if run.state not in RUN_ENDS:
            return (3 if self.state_of(run) is JobState.QUEUED else 0), 0, run.id
        if run.state is RunState.FAILED:
            return 1, 0, run.id
        if goal is not None:
            return 2, rank(run, self._metrics(run), goal), run.id
        return 2, -run.ended_at.timestamp() if run.ended_at else 0, run.id

    def _metrics(self, run: Run) -> Mapping[str, float]:
        return self.measured.get(run.id, {})
