"""What the API's answers hold beyond single records, and how records are read from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

from treadle.model.bindings import Arguments
from treadle.model.records import Attempt, Event, Job, Run
from treadle.model.refs import Ref
from treadle.model.states import RUN_ENDS
from treadle.model.wire import from_wire

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """A run with all its jobs, in the order of its steps. edges: (parent job, child job)."""

    run: Run
    jobs: tuple[Job, ...]
    edges: tuple[tuple[str, str], ...]
    arguments: Mapping[str, Arguments]  #: by job id; empty unless asked for
    kinds: Mapping[str, str] = field(default_factory=dict)  #: by tool id: function, script, ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail:
    """A job with what it made (no bytes in the refs) and how often it was tried."""

    job: Job
    outputs: Mapping[str, Ref]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDetail:
    """The runs of a group, oldest first, and their jobs that are under way."""

    runs: tuple[Run, ...]
    active: tuple[Job, ...]
    began: Mapping[str, datetime]  #: run id -> when its first step started


def read_record(kind: type[R], wire: Any) -> R:
    """A record; what only a newer server knows of is left out."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return from_wire(kind, {name: value for name, value in wire.items() if name in known})


def read_run(wire: Any) -> Run:
    return read_record(Run, wire)


def is_end(event: Event) -> bool:
    """Nothing comes after it in the diary of its run."""
    ends = event.kind == "run.deleted" or event.data.get("state") in RUN_ENDS
    return event.job_id is None and ends
