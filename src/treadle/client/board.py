"""What is known of a run while it is followed: a row per job, and counts by tool and by group.

Pure: events go in, rows and counts are read out. Each event costs the same however many jobs
there are, and so does reading the counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from treadle.client import shape
from treadle.model.graph import Parents
from treadle.model.pictures.picture import group_label
from treadle.model.records import Event, Job, Metric, Run
from treadle.model.states import (
    JOB_ENDS,
    JOB_LEASED,
    JOB_MOVES,
    RUN_MOVES,
    JobEvent,
    JobState,
    RunEvent,
    RunState,
)

#: Why a job waits, in words that need no explanation.
REASONS = {
    "parent": "waits for other steps",
    "slot": "waits for a free slot",
    "backoff": "waits before the next attempt",
    "limit": "waits for other runs of this pipeline",
    "build": "waits for its environment",
    "backend": "waits for the engine to come back",
}
#: What a plain line says for a job's event; others are not worth one.
WORTH_A_LINE = {
    "job.started": "running",
    "job.completed": "completed",
    "job.failed": "failed",
    "job.retried": "failed, will be tried again",
    "job.lost": "lost, queued again",
    "job.skipped": "skipped",
    "job.reused": "reused",
    "job.gone": "aborted",
}
MOST_ROWS = 20  #: shown one by one; beyond, alike steps are counted together
Edges = Iterable[tuple[str, str]]  #: (parent job, child job)


_NOT_BEGUN = {JobState.WAITING, JobState.QUEUED, JobState.PREPARING}


@dataclass(slots=True, kw_only=True)
class Row:
    """One job, as last heard of."""

    job_id: str
    step: str
    tool: str  #: its id
    state: JobState
    attempt: int = 0
    reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    done: float | None = None
    total: float | None = None
    message: str = ""  #: of its last failure
    metrics: dict[str, float] = field(default_factory=dict)  #: last value of each
    parents: list[str] = field(default_factory=list)  #: job ids

    def seconds(self, now: datetime) -> float | None:
        """How long the last attempt has run, or ran."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.ended_at or now) - self.started_at).total_seconds())


class Board:
    """The rows of one run, parents first, otherwise in the order of its steps."""

    def __init__(self, run: Run, jobs: Iterable[Job], edges: Edges) -> None:
        self.run = run
        self.tools: dict[str, Counter[JobState]] = {}
        self.active: dict[str, Row] = {}  #: held by an owner now, oldest first
        self.labels: dict[str, str] = {}  #: tool id -> what to call it
        given = {job.id: _row(job) for job in sorted(jobs, key=lambda job: job.position)}
        for parent, child in edges:
            given[child].parents.append(parent)
        parents = {job_id: frozenset(row.parents) for job_id, row in given.items()}
        self.rows = {job_id: given[job_id] for job_id in shape.in_order(parents)}
        self.lines = self.group_lines = shape.NO_LINES
        self.groups: list[shape.Group] = []  #: of alike rows, where there are many
        self._group_of: dict[str, shape.Group] = {}
        self._shape(parents)
        for row in self.rows.values():
            self.tools.setdefault(row.tool, Counter())[row.state] += 1
            self.labels.setdefault(row.tool, group_label(row.step))
            self._note_active(row)

    def _shape(self, parents: Parents) -> None:
        """Lines before the rows, or where these are many, groups and lines before those."""
        if len(self.rows) <= MOST_ROWS:
            self.lines = shape.lines_of(list(self.rows), parents)
            return
        steps = {job_id: row.step for job_id, row in self.rows.items()}
        tools = {job_id: row.tool for job_id, row in self.rows.items()}
        self.groups, self.group_lines = shape.groups_of(steps, tools, parents)
        self._group_of = {job_id: group for group in self.groups for job_id in group.members}
        for job_id, row in self.rows.items():
            self._group_of[job_id].counts[row.state] += 1

    def apply(self, event: Event) -> Row | None:
        """Take an event in; the row it is about, or None where it is about the run."""
        subject, _, name = event.kind.partition(".")
        if subject == "run":
            self._apply_run(name, event)
            return None
        row = self.rows.get(event.job_id or "")
        if row is not None:
            self._apply_job(row, name, event)
        return row

    def _apply_run(self, name: str, event: Event) -> None:
        state = _state_after(RunState, RunEvent, RUN_MOVES, self.run.state, name, event.data)
        changes: dict[str, Any] = {"state": state, "reason": event.data.get("reason") or ""}
        if name in ("completed", "failed", "gone"):
            changes["ended_at"] = event.at
        self.run = replace(self.run, **changes)

    def _apply_job(self, row: Row, name: str, event: Event) -> None:
        data = event.data
        if name == "progress":
            row.done, row.total = data.get("done"), data.get("total")
        elif name == "metrics":
            row.metrics.update({m["name"]: m["value"] for m in data.get("metrics", ())})
        elif name != "output":
            state = _state_after(JobState, JobEvent, JOB_MOVES, row.state, name, data)
            self._move(row, state, event)

    def _move(self, row: Row, state: JobState, event: Event) -> None:
        self._count(row, state)
        row.state = state
        row.reason = event.data.get("reason") or ""
        row.attempt = event.data.get("attempt") or row.attempt
        row.message = _message(event.data) or row.message
        if state in _NOT_BEGUN:
            row.started_at = row.ended_at = row.done = row.total = None
        elif state is JobState.RUNNING:
            row.started_at = event.at
        elif state in JOB_ENDS:
            row.ended_at = event.at
        self._note_active(row)

    def _count(self, row: Row, state: JobState) -> None:
        group = self._group_of.get(row.job_id)
        for counts in (self.tools[row.tool], *([] if group is None else [group.counts])):
            counts[row.state] -= 1
            counts[state] += 1

    def _note_active(self, row: Row) -> None:
        if row.state in JOB_LEASED:
            self.active.setdefault(row.job_id, row)
        else:
            self.active.pop(row.job_id, None)

    def measure(self, metrics: Iterable[Metric]) -> None:
        """Take in all metrics of the run, in the order in which they were logged."""
        for metric in metrics:
            row = self.rows.get(metric.job_id)
            if row is not None:
                row.metrics[metric.name] = metric.value

    def counts(self) -> Counter[JobState]:
        """How many jobs are in each state."""
        return sum(self.tools.values(), Counter())

    def waits_for(self, row: Row, *, most: int = 3) -> str:
        """Why a job that has not started waits, in a few words."""
        if row.state is not JobState.WAITING or row.reason not in ("", "parent"):
            return in_words(row.state, row.reason)
        open_ = [self.rows[p].step for p in row.parents if self.rows[p].state not in JOB_ENDS]
        names = ", ".join(open_[:most])
        more = f" and {len(open_) - most} more" if len(open_) > most else ""
        return f"waits for {names}{more}" if open_ else row.reason


def in_words(state: JobState, reason: str) -> str:
    """Why a job waits or was skipped; what an ended one once waited for is not said."""
    if state in JOB_ENDS and state is not JobState.SKIPPED:
        return ""
    return REASONS.get(reason, reason)


def _row(job: Job) -> Row:
    return Row(
        job_id=job.id,
        step=job.step,
        tool=job.tool_id,
        state=job.state,
        attempt=job.attempt,
        reason=job.reason,
        started_at=job.started_at,
        ended_at=job.ended_at,
        done=job.progress_done,
        total=job.progress_total,
        message=job.failure.message if job.failure else "",
    )


def _state_after(
    states: Any,
    events: Any,
    moves: Mapping[Any, Any],
    state: Any,
    name: str,
    data: Mapping[str, Any],
) -> Any:
    """The state the event tells, else the one the table gives; unknown events change nothing."""
    if data.get("state"):
        return states(data["state"])
    if name not in set(events):
        return state
    return moves.get((state, events(name)), state)


def _message(data: Mapping[str, Any]) -> str:
    failure = data.get("failure")
    message = failure.get("message", "") if isinstance(failure, Mapping) else ""
    return str(message)
