"""Statements of the ledger about many jobs at once: row by row they would hold up everybody."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from treadle.errors import StaleMove
from treadle.model.records import Job, Run
from treadle.model.states import JOB_ENDS, JobEvent, advance_job
from treadle.storage.ledger import rows
from treadle.storage.ledger.upkeep import QUERIES

KINDS = {event: f"job.{event}" for event in JobEvent}
MOVE_UNOWNED: str = QUERIES.move_unowned.sql
COPY_OUTPUTS: str = QUERIES.copy_outputs.sql
WITH_JOBS = ("edges", "attempts", "outputs", "arguments", "metrics", "blobs")


class Bulk:
    """The part of interfaces.Books that moves, copies and forgets many jobs of one run."""

    _db: sqlite3.Connection

    def run(self, run_id: str) -> Run:
        raise NotImplementedError

    def add_event(
        self, stream: str, kind: str, at: datetime, job_id: str | None, data: Mapping[str, Any]
    ) -> None:
        raise NotImplementedError

    def move_unowned(
        self, jobs: Sequence[tuple[Job, str]], event: JobEvent, at: datetime
    ) -> list[Job]:
        after = [_moved(job, event, reason, at) for job, reason in jobs]
        values = [
            {
                "id": job.id,
                "state": job.state.value,
                "reason": job.reason,
                "ended_at": rows.seconds(job.ended_at),
                "from_state": before.state.value,
                "from_attempt": before.attempt,
            }
            for job, (before, _) in zip(after, jobs, strict=True)
        ]
        if self._db.executemany(MOVE_UNOWNED, values).rowcount != len(after):
            raise StaleMove(f"of {len(after)} jobs some are not what they were any more")
        for job in after:
            self.add_event(job.stream, KINDS[event], at, job.id, event_data(job, event))
        return after

    def copy_outputs(self, jobs: Sequence[tuple[str, str]]) -> None:
        self._db.executemany(COPY_OUTPUTS, [{"old": old, "new": new} for old, new in jobs])

    def delete_run(self, run_id: str, at: datetime) -> None:
        run = self.run(run_id)  # nothing else will say whose it was
        data = {"pipeline": run.pipeline, "user": run.user}
        self.add_event(run_id, "run.deleted", at, None, data)
        QUERIES.delete_events_before_last(self._db, stream=run_id)
        for what in WITH_JOBS:  # at once, and not job by job as the jobs go
            getattr(QUERIES, f"delete_{what}_of_run")(self._db, run_id=run_id)
        QUERIES.delete_run(self._db, id=run_id)


def _moved(job: Job, event: JobEvent, reason: str, at: datetime) -> Job:
    state = advance_job(job.state, event)
    ended_at = at if state in JOB_ENDS else None
    return replace(job, state=state, reason=reason, ended_at=ended_at)


def event_data(job: Job, event: JobEvent) -> dict[str, Any]:
    """What the diary says of a move, besides the job's id."""
    data: dict[str, Any] = {"step": job.step, "state": job.state.value, "attempt": job.attempt}
    if job.reason:
        data["reason"] = job.reason
    if job.failure is not None and event in (JobEvent.FAILED, JobEvent.RETRIED):
        data["failure"] = {"type": job.failure.type.value, "message": job.failure.message}
    return data
