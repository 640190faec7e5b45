"""The ledger's statements over one SQLite connection; SQL is in `sql/`; nothing commits."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from treadle.errors import NotFound, StaleMove
from treadle.interfaces import Capacity
from treadle.model.bindings import Arguments, Stored, leaves
from treadle.model.orders import Report
from treadle.model.records import (
    Attempt,
    Event,
    Job,
    Metric,
    Pipeline,
    Run,
    Tool,
)
from treadle.model.refs import Ref
from treadle.model.states import (
    JOB_ENDS,
    RUN_ENDS,
    JobEvent,
    JobState,
    RunEvent,
    advance_job,
    advance_run,
)
from treadle.storage.ledger import rows
from treadle.storage.ledger.access import Access
from treadle.storage.ledger.bulk import KINDS, Bulk, event_data
from treadle.storage.ledger.catalogue import Catalogue
from treadle.storage.ledger.lists import Lists
from treadle.storage.ledger.queue import Queue
from treadle.storage.ledger.upkeep import QUERIES, Upkeep

SQL: dict[str, str] = {  # for what every step of every run does: aiosql's own calls cost more
    name: getattr(QUERIES, name).sql
    for name in (
        "add_event",
        "add_output",
        "arguments_of",
        "complete_job",
        "close_attempt",
        "count_down",
        "inputs_of",
        "last_number",
        "lease_job",
        "move_job",
        "queued_jobs",
        "promote_children",
        "start_job",
    )
}
_MOVES = {  # the frequent ones set only what they change
    JobEvent.LEASED: SQL["lease_job"],
    JobEvent.STARTED: SQL["start_job"],
    JobEvent.COMPLETED: SQL["complete_job"],
}
MOST_REMEMBERED = 10_000  #: streams, tools: with many runs under way they are read again instead


class SqliteBooks(Upkeep, Access, Queue, Lists, Catalogue, Bulk):
    """interfaces.Books on SQLite."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._tools: dict[str, Tool] = {}  # read before; a definition never changes
        self._numbers: dict[str, int] = {}  # stream -> number of its last event

    # definitions

    def add_tools(self, tools: Iterable[Tool], at: datetime) -> None:
        for tool in tools:
            if tool.id in self._tools:  # it was read, so it is there
                continue
            QUERIES.add_tool(
                self._db,
                id=tool.id,
                name=tool.name,
                version=tool.version,
                definition=rows.dump(tool),
                code_digest=tool.code.digest,
                at=at.timestamp(),
            )

    def tool(self, tool_id: str) -> Tool:
        found = self._tools.get(tool_id)
        if found is None:
            row = QUERIES.tool_definition(self._db, id=tool_id)
            if row is None:
                raise NotFound(f"There is no tool {tool_id}.")
            _make_room(self._tools)
            found = self._tools[tool_id] = rows.tool(row["definition"])
        return found

    def tool_named(self, name: str, version: str | None = None) -> Tool:
        row = QUERIES.newest_tool(self._db, name=name, version=version)
        if row is None:
            which = f"tool {name!r}" + (f" of version {version!r}" if version else "")
            raise NotFound(f"There is no {which}.", hint="A run that has it makes it known.")
        return self.tool(row["id"])

    def add_pipeline(self, pipeline: Pipeline, at: datetime) -> None:
        QUERIES.add_pipeline(
            self._db,
            name=pipeline.name,
            version=pipeline.version,
            description=pipeline.description,
            parameters_schema=rows.dump_plain(dict(pipeline.parameters_schema)),
            at=at.timestamp(),
        )

    def add_snapshot(self, digest: str, files: Collection[str], at: datetime) -> None:
        QUERIES.add_snapshot(self._db, digest=digest, at=at.timestamp())
        QUERIES.add_snapshot_file(self._db, [{"snapshot": digest, "digest": f} for f in files])

    def renew_snapshot(self, digest: str, at: datetime) -> bool:
        found = QUERIES.renew_snapshot(self._db, digest=digest, at=at.timestamp())
        return found is not None

    # runs

    def add_run(self, run: Run) -> None:
        QUERIES.add_run(self._db, **rows.run_values(run))
        QUERIES.add_run_order(self._db, **rows.run_order_values(run))
        if run.labels:
            labels = [{"run_id": run.id, "key": k, "value": v} for k, v in run.labels.items()]
            QUERIES.add_label(self._db, labels)
        data = {"state": run.state.value, "pipeline": run.pipeline, "jobs": run.jobs_total}
        self.add_event(run.id, "run.created", run.created_at, None, data)

    def add_secrets(self, run_id: str, sealed: Mapping[str, bytes]) -> None:
        if sealed:
            values = [{"run_id": run_id, "key": k, "sealed": v} for k, v in sealed.items()]
            QUERIES.add_secret(self._db, values)

    def secrets_of(self, run_id: str) -> dict[str, bytes]:
        return {row["key"]: row["sealed"] for row in QUERIES.secrets_of(self._db, run_id=run_id)}

    def run(self, run_id: str) -> Run:
        row = QUERIES.run(self._db, id=run_id)
        if row is None:
            raise NotFound(f"There is no run {run_id}.", hint="`treadle ps` lists the runs.")
        return rows.run(row, dict(tuple(r) for r in QUERIES.labels_of(self._db, run_id=run_id)))

    def unfinished_runs(self) -> list[Run]:
        return self._with_labels(list(QUERIES.unfinished_runs(self._db)))

    def waiting_runs(self, pipeline: str, limit: int) -> list[Run]:
        found = QUERIES.waiting_runs(self._db, pipeline=pipeline, limit=limit)
        return self._with_labels(list(found))

    def count_active(self, pipeline: str) -> int:
        return int(QUERIES.count_active(self._db, pipeline=pipeline)[0])

    def ended_runs_before(self, moment: datetime, limit: int) -> list[str]:
        found = QUERIES.ended_runs_before(self._db, moment=moment.timestamp(), limit=limit)
        return [row["id"] for row in found]

    def move_run(self, before: Run, event: RunEvent, at: datetime, **changes: Any) -> Run:
        state = advance_run(before.state, event)
        if state in RUN_ENDS:
            changes.setdefault("ended_at", at)
        after = replace(before, state=state, **changes)
        moved = QUERIES.move_run(
            self._db,
            id=after.id,
            state=after.state.value,
            started_at=rows.seconds(after.started_at),
            ended_at=rows.seconds(after.ended_at),
            reason=after.reason,
            from_state=before.state.value,
        )
        if moved is None:
            raise StaleMove(f"run {before.id} is not {before.state} any more")
        data = {"state": after.state.value, "reason": after.reason}
        self.add_event(after.id, f"run.{event}", at, None, data)
        if state in RUN_ENDS:
            self._numbers.pop(after.id, None)
        return after

    # jobs

    def add_jobs(
        self, jobs: Sequence[tuple[Job, Arguments]], edges: Sequence[tuple[str, str]]
    ) -> None:
        values, texts, blobs = [], [], []
        for job, arguments in jobs:
            own = job.execution != self.tool(job.tool_id).execution
            values.append(rows.job_values(job, own))
            texts.append({"job_id": job.id, "arguments": rows.arguments_text(arguments)})
            blobs += [{"job_id": job.id, "digest": d} for d in _blobs_in(arguments)]
        QUERIES.add_job(self._db, values)
        QUERIES.add_arguments(self._db, texts)
        if blobs:
            QUERIES.add_job_blob(self._db, blobs)
        if edges:
            QUERIES.add_edge(self._db, [{"parent": p, "child": c} for p, c in edges])

    def _job(self, row: sqlite3.Row) -> Job:
        own = row["execution"]
        return rows.job(
            row, rows.execution(own) if own is not None else self.tool(row["tool_id"]).execution
        )

    def _jobs(self, found: Iterable[sqlite3.Row]) -> list[Job]:
        return [self._job(row) for row in list(found)]

    def job(self, job_id: str) -> Job:
        row = QUERIES.job(self._db, id=job_id)
        if row is None:
            raise NotFound(f"There is no job {job_id}.", hint="`treadle show RUN` lists its jobs.")
        return self._job(row)

    def arguments_of(self, job_id: str) -> Arguments:
        found = self._db.execute(SQL["arguments_of"], {"job_id": job_id}).fetchone()
        return rows.arguments(found[0])

    def arguments_in_run(self, run_id: str) -> dict[str, Arguments]:
        found = QUERIES.arguments_in_run(self._db, run_id=run_id)
        return {row["job_id"]: rows.arguments(row["arguments"]) for row in found}

    def jobs_of(self, run_id: str) -> list[Job]:
        return self._jobs(QUERIES.jobs_of(self._db, run_id=run_id))

    def edges_of(self, run_id: str) -> list[tuple[str, str]]:
        found = QUERIES.edges_of(self._db, run_id=run_id)
        return [(row["parent"], row["child"]) for row in found]

    def move_job(self, before: Job, event: JobEvent, at: datetime, **changes: Any) -> Job:
        state = advance_job(before.state, event)
        if event is JobEvent.LEASED:
            changes.setdefault("leased_at", at)
        elif state in JOB_ENDS:
            changes.setdefault("ended_at", at)
            changes.setdefault("owner", None)
        after = replace(before, state=state, **changes)
        statement = _MOVES.get(event, SQL["move_job"])
        moved = self._db.execute(statement, _moved_values(before, after)).fetchall()
        if not moved:
            raise StaleMove(f"job {before.id} is not {before.state} at {before.attempt} any more")
        self._tell(after, event, at)
        if after.run_id is None and state in JOB_ENDS:
            self._numbers.pop(after.id, None)
        return after

    def _tell(self, job: Job, event: JobEvent, at: datetime) -> None:
        self.add_event(job.stream, KINDS[event], at, job.id, event_data(job, event))

    def explain(self, job: Job, reason: str, at: datetime) -> None:
        QUERIES.explain_job(
            self._db,
            id=job.id,
            reason=reason,
            state=job.state.value,
            attempt=job.attempt,
            owner=job.owner,
        )
        self.add_event(job.stream, "job.delayed", at, job.id, {"step": job.step, "reason": reason})

    def explain_too_large(self, capacity: Capacity, reason: str) -> None:
        QUERIES.explain_too_large(
            self._db,
            cpus=capacity.cpus,
            memory_bytes=capacity.memory_bytes,
            gpus=capacity.gpus,
            reason=reason,
        )

    def queued_jobs(self, user: str, room: Capacity, limit: int) -> list[Job]:
        asked = {
            "user": user,
            "cpus": room.cpus,
            "memory_bytes": room.memory_bytes,
            "gpus": room.gpus,
            "limit": limit,
        }
        return self._jobs(self._db.execute(SQL["queued_jobs"], asked))

    def leased_jobs(self) -> list[Job]:
        return self._jobs(QUERIES.leased_jobs(self._db))

    def jobs_backing_off(self) -> list[Job]:
        return self._jobs(QUERIES.jobs_backing_off(self._db))

    def unended_calls(self) -> list[Job]:
        return self._jobs(QUERIES.unended_calls(self._db))

    def close_attempt(self, job: Job, end: str, at: datetime, report: Report | None = None) -> None:
        failure = None if report is None else report.failure
        self._db.execute(
            SQL["close_attempt"],
            {
                "job_id": job.id,
                "number": job.attempt,
                "owner": job.owner,
                "at": at.timestamp(),
                "leased_at": rows.seconds(job.leased_at),
                "started_at": rows.seconds(job.started_at),
                "end": end,
                "failure": None if failure is None else rows.dump(failure),
                "peak_memory_bytes": None if report is None else report.peak_memory_bytes,
                "cpu_seconds": None if report is None else report.cpu_seconds,
            },
        )

    def promote_children(self, parent: Job, reason: str, at: datetime) -> list[Job]:
        queued = advance_job(JobState.WAITING, JobEvent.READY)
        asked = {
            "parent": parent.id,
            "waiting": JobState.WAITING.value,
            "queued": queued.value,
            "reason": reason,
        }
        children = self._db.execute(SQL["promote_children"], asked).fetchall()
        ready = [self._job(row) for row in children if row["parents_left"] == 0]
        for job in ready:
            self._tell(job, JobEvent.READY, at)
        return ready

    def waiting_descendants(self, job: Job) -> list[Job]:
        return self._jobs(QUERIES.waiting_descendants(self._db, parent=job.id))

    def count_down(self, job: Job, *, failed: bool = False, jobs: int = 1) -> int:
        asked = {"id": job.run_id, "failed": int(failed), "jobs": jobs}
        (row,) = self._db.execute(SQL["count_down"], asked).fetchall()
        return int(row["jobs_left"])

    def delete_old_calls(self, moment: datetime) -> int:
        QUERIES.delete_events_of_old_calls(self._db, moment=moment.timestamp())
        return int(QUERIES.delete_old_calls(self._db, moment=moment.timestamp()))

    # what attempts said

    def add_outputs(self, job: Job, outputs: Mapping[str, Ref]) -> None:
        values = [rows.output_values(job.id, name, ref) for name, ref in outputs.items()]
        self._db.executemany(SQL["add_output"], values)

    def outputs_of(self, job_id: str) -> dict[str, Ref]:
        found = QUERIES.outputs_of(self._db, job_id=job_id)
        return {row["name"]: rows.ref(row) for row in found}

    def inputs_of(self, job_id: str) -> dict[tuple[str, str], Ref]:
        found = self._db.execute(SQL["inputs_of"], {"child": job_id}).fetchall()
        return {(row["step"], row["name"]): rows.ref(row) for row in found}

    def add_metrics(self, metrics: Sequence[Metric]) -> None:
        values = [
            {
                "job_id": m.job_id,
                "attempt": m.attempt,
                "name": m.name,
                "step": m.step,
                "value": m.value,
                "at": m.at.timestamp(),
            }
            for m in metrics
        ]
        QUERIES.add_metric(self._db, values)

    def metrics_of(
        self, run_or_job_id: str, after: int = 0, *, last: int | None = None
    ) -> list[Metric]:
        if run_or_job_id.startswith("run_"):
            found = QUERIES.metrics_of_run(self._db, run_id=run_or_job_id, after=after)
        else:
            limit = -1 if last is None else last
            found = QUERIES.metrics_of_job(self._db, job_id=run_or_job_id, after=after, limit=limit)
        return [rows.metric(row) for row in found]

    def last_metrics_of(self, run_id: str) -> list[Metric]:
        found = QUERIES.last_metrics_of_run(self._db, run_id=run_id)
        return [rows.metric(row) for row in found]

    def set_progress(self, job_id: str, done: float, total: float | None) -> None:
        QUERIES.set_progress(self._db, id=job_id, done=done, total=total)

    def attempts_of(self, job_id: str) -> list[Attempt]:
        over = [rows.attempt(row) for row in QUERIES.attempts_of(self._db, job_id=job_id)]
        job = self.job(job_id)
        return over if job.owner is None else [*over, rows.attempt_under_way(job)]

    # the diary

    def add_event(
        self, stream: str, kind: str, at: datetime, job_id: str | None, data: Mapping[str, Any]
    ) -> None:
        number = self._numbers.get(stream)
        if number is None:
            _make_room(self._numbers)
            number = self._db.execute(SQL["last_number"], {"stream": stream}).fetchone()[0]
        self._numbers[stream] = number + 1
        self._db.execute(
            SQL["add_event"],
            {
                "stream": stream,
                "number": number + 1,
                "at": at.timestamp(),
                "kind": kind,
                "job_id": job_id,
                "data": rows.dump_plain(data),
            },
        )

    def delete_unused_definitions(self, moment: datetime) -> None:
        super().delete_unused_definitions(moment)
        self._tools.clear()

    def rolled_back(self) -> None:
        """What was counted in memory may not have come to pass."""
        self._numbers.clear()
        self._tools.clear()

    def events(self, *, stream: str | None, after: int, limit: int) -> list[Event]:
        if stream is None:
            found = QUERIES.events_of_all(self._db, after=after, limit=limit)
        else:
            found = QUERIES.events_of_stream(self._db, stream=stream, after=after, limit=limit)
        return [rows.event(row) for row in found]

    def last_event(self, stream: str | None) -> int:
        if stream is None:
            found = QUERIES.last_cursor(self._db)
        else:
            found = QUERIES.last_number(self._db, stream=stream)
        last: int = found[0]
        return last


def _make_room(remembered: dict[str, Any]) -> None:
    """Forget the oldest, so that memory does not grow with what the ledger holds."""
    if len(remembered) >= MOST_REMEMBERED:
        del remembered[next(iter(remembered))]


def _blobs_in(arguments: Arguments) -> set[str]:
    return {
        leaf.ref.digest
        for binding in arguments.values()
        for leaf in leaves(binding)
        if isinstance(leaf, Stored) and leaf.ref.inline is None
    }


def _moved_values(before: Job, after: Job) -> dict[str, Any]:
    return {
        "id": after.id,
        "state": after.state.value,
        "attempt": after.attempt,
        "owner": after.owner,
        "failures": after.failures,
        "losses": after.losses,
        "reason": after.reason,
        "not_before": rows.seconds(after.not_before),
        "leased_at": rows.seconds(after.leased_at),
        "started_at": rows.seconds(after.started_at),
        "ended_at": rows.seconds(after.ended_at),
        "failure": None if after.failure is None else rows.dump(after.failure),
        "from_state": before.state.value,
        "from_attempt": before.attempt,
        "from_owner": before.owner,
    }
