"""Rows to records and back; the one place that knows both."""

import functools
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from treadle.model import bindings
from treadle.model.access import Token
from treadle.model.bindings import Arguments
from treadle.model.groups import Group
from treadle.model.orders import execution_from_wire, failure_from_wire
from treadle.model.records import (
    Attempt,
    Event,
    Execution,
    Failure,
    Job,
    Metric,
    Run,
    Source,
    Tool,
)
from treadle.model.refs import Ref
from treadle.model.states import RUN_ENDS, JobState, RunState
from treadle.model.wire import from_wire, to_wire

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def dump(value: Any) -> str:
    """JSON text of a record or of plain JSON data."""
    return _encoder.encode(to_wire(value)).decode()


def dump_plain(value: Any) -> str:
    """JSON text of data that holds no records."""
    return _encoder.encode(value).decode()


def load(text: str) -> Any:
    return _decoder.decode(text)


def seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


@functools.lru_cache(maxsize=1024)
def execution(text: str) -> Execution:
    return execution_from_wire(load(text))


@functools.lru_cache(maxsize=1024)
def tool(definition: str) -> Tool:
    return from_wire(Tool, load(definition))


def failure(text: str | None) -> Failure | None:
    return None if text is None else failure_from_wire(load(text))


def arguments(text: str) -> Arguments:
    return {name: bindings.from_wire(wire) for name, wire in load(text).items()}


def arguments_text(values: Arguments) -> str:
    return dump_plain({name: bindings.to_wire(binding) for name, binding in values.items()})


def run(row: sqlite3.Row, labels: Mapping[str, str]) -> Run:
    return Run(
        id=row["id"],
        pipeline=row["pipeline"],
        pipeline_version=row["pipeline_version"],
        state=RunState(row["state"]),
        created_at=_moment(row["created_at"]),
        parameters=load(row["parameters"]),
        labels=labels,
        output=None if row["output"] is None else bindings.from_wire(load(row["output"])),
        source=None if row["source"] is None else from_wire(Source, load(row["source"])),
        user=row["user"],
        priority=row["priority"],
        fail_fast=bool(row["fail_fast"]),
        concurrency=row["concurrency"],
        retry_of=row["retry_of"],
        started_at=moment(row["started_at"]),
        ended_at=moment(row["ended_at"]),
        jobs_total=row["jobs_total"],
        jobs_left=row["jobs_left"],
        jobs_failed=row["jobs_failed"],
        reason=row["reason"],
    )


def job(row: sqlite3.Row, asks: Execution) -> Job:
    """asks: the execution, from the row or from its tool."""
    (
        id_,
        run_id,
        step,
        tool_id,
        _execution,
        _cpus,
        _memory_bytes,
        _gpus,
        state,
        position,
        priority,
        attempt,
        owner,
        parents_left,
        failures,
        losses,
        reason,
        not_before,
        created_at,
        leased_at,
        started_at,
        ended_at,
        failed,
        done,
        total,
        user,
    ) = row
    return Job(
        id=id_,
        run_id=run_id,
        step=step,
        tool_id=tool_id,
        state=JobState(state),
        execution=asks,
        created_at=_moment(created_at),
        position=position,
        user=user,
        priority=priority,
        attempt=attempt,
        owner=owner,
        parents_left=parents_left,
        failures=failures,
        losses=losses,
        reason=reason,
        not_before=moment(not_before),
        leased_at=moment(leased_at),
        started_at=moment(started_at),
        ended_at=moment(ended_at),
        failure=failure(failed),
        progress_done=done,
        progress_total=total,
    )


def job_values(record: Job, own_execution: bool) -> dict[str, Any]:
    """What add_job binds. own_execution: it differs from its tool's."""
    return {
        "id": record.id,
        "run_id": record.run_id,
        "step": record.step,
        "tool_id": record.tool_id,
        "execution": dump(record.execution) if own_execution else None,
        "cpus": record.execution.cpus,
        "memory_bytes": record.execution.memory_bytes or 0,
        "gpus": record.execution.gpus,
        "state": record.state.value,
        "position": record.position,
        "user": record.user,
        "priority": record.priority,
        "attempt": record.attempt,
        "parents_left": record.parents_left,
        "reason": record.reason,
        "created_at": record.created_at.timestamp(),
    }


def run_order_values(record: Run) -> dict[str, Any]:
    return {
        "id": record.id,
        "parameters": dump_plain(dict(record.parameters)),
        "output": None if record.output is None else dump(record.output),
        "source": None if record.source is None else dump(record.source),
    }


def run_values(record: Run) -> dict[str, Any]:
    return {
        "id": record.id,
        "pipeline": record.pipeline,
        "pipeline_version": record.pipeline_version,
        "state": record.state.value,
        "user": record.user,
        "priority": record.priority,
        "fail_fast": int(record.fail_fast),
        "concurrency": record.concurrency,
        "retry_of": record.retry_of,
        "created_at": record.created_at.timestamp(),
        "started_at": seconds(record.started_at),
        "ended_at": seconds(record.ended_at),
        "jobs_total": record.jobs_total,
        "jobs_left": record.jobs_left,
        "reason": record.reason,
    }


def ref(row: sqlite3.Row) -> Ref:
    return Ref(
        digest=row["digest"],
        size_bytes=row["size_bytes"],
        media_type=row["media_type"],
        codec=row["codec"],
        inline=row["inline"],
    )


def output_values(job_id: str, name: str, value: Ref) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "name": name,
        "digest": value.digest,
        "size_bytes": value.size_bytes,
        "media_type": value.media_type,
        "codec": value.codec,
        "inline": value.inline,
    }


def attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        job_id=row["job_id"],
        number=row["number"],
        owner=row["owner"],
        leased_at=_moment(row["leased_at"]),
        started_at=moment(row["started_at"]),
        ended_at=moment(row["ended_at"]),
        end=row["end"],
        failure=failure(row["failure"]),
        peak_memory_bytes=row["peak_memory_bytes"],
        cpu_seconds=row["cpu_seconds"],
    )


def attempt_under_way(record: Job) -> Attempt:
    """The attempt that a leased job's own row tells of."""
    return Attempt(
        job_id=record.id,
        number=record.attempt,
        owner=record.owner or "",
        leased_at=record.leased_at or record.created_at,
        started_at=record.started_at,
    )


def event(row: sqlite3.Row) -> Event:
    return Event(
        cursor=row["cursor"],
        stream=row["stream"],
        number=row["number"],
        at=_moment(row["at"]),
        kind=row["kind"],
        job_id=row["job_id"],
        data=load(row["data"]),
    )


def metric(row: sqlite3.Row) -> Metric:
    value = row["value"]
    return Metric(
        job_id=row["job_id"],
        attempt=row["attempt"],
        name=row["name"],
        value=float("nan") if value is None else value,
        step=row["step"],
        at=_moment(row["at"]),
        id=row["id"],
    )


def token(row: sqlite3.Row) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        user=row["user"],
        scopes=tuple(load(row["scopes"])),
        created_at=_moment(row["created_at"]),
        expires_at=moment(row["expires_at"]),
        revoked_at=moment(row["revoked_at"]),
        used_at=moment(row["used_at"]),
    )


def token_values(record: Token) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "user": record.user,
        "scopes": dump_plain(list(record.scopes)),
        "created_at": record.created_at.timestamp(),
        "expires_at": seconds(record.expires_at),
    }


def groups(found: Iterable[sqlite3.Row]) -> list[Group]:
    """Groups of their rows by state and pipeline, which follow each other."""
    made = []
    for newest, parts in itertools.groupby(found, key=lambda row: row["newest"]):
        made.append(_group(newest, list(parts)))
    return made


def _group(newest: str, parts: Sequence[sqlite3.Row]) -> Group:
    states: Counter[str] = Counter()
    for part in parts:
        states[part["state"]] += part["runs"]
    ends = [part["ended_at"] for part in parts]
    return Group(
        name=parts[0]["name"],
        newest=newest,
        pipelines=tuple(dict.fromkeys(part["pipeline"] for part in parts)),
        states=dict(states),
        created_at=_moment(min(part["created_at"] for part in parts)),
        ended_at=_moment(max(ends)) if all(s in RUN_ENDS for s in states) else None,
    )
