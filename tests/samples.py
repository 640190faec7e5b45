"""Records that tests build on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from anyio.lowlevel import checkpoint

from treadle.model.bindings import Binding, Output, Value
from treadle.model.ids import new_id
from treadle.model.records import (
    Code,
    Execution,
    Job,
    Pipeline,
    Run,
    Step,
    Submission,
    Tool,
)
from treadle.model.states import JobState, RunState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class HandClock:
    """A clock that a test sets by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds


def a_tool(name: str = "work", **fields: Any) -> Tool:
    known: dict[str, Any] = {
        "id": f"tool-{name}",
        "name": name,
        "version": "1",
        "code": Code(kind="snapshot", digest="", entry=f"math:{name}"),
    }
    return Tool(**{**known, **fields})


def a_submission(
    parents: dict[str, list[str]], execution: Execution | None = None, **fields: Any
) -> Submission:
    """A pipeline of steps that take their parents' results; {step: [its parents]}."""
    tool = a_tool(execution=execution or Execution())
    steps = tuple(
        Step(name=name, tool_id=tool.id, arguments=_arguments(name, above))
        for name, above in parents.items()
    )
    of_pipeline = {k: fields.pop(k) for k in ("concurrency", "name") if k in fields}
    known = {"name": "sample", "version": "1", "tools": (tool,), "steps": steps}
    return Submission(pipeline=Pipeline(**{**known, **of_pipeline}), **fields)


def _arguments(name: str, above: list[str]) -> dict[str, Binding]:
    arguments: dict[str, Binding] = {f"from_{parent}": Output(parent) for parent in above}
    return arguments or {"name": Value(name)}


def a_run(**fields: Any) -> Run:
    known: dict[str, Any] = {
        "id": new_id("run"),
        "pipeline": "sample",
        "pipeline_version": "1",
        "state": RunState.RUNNING,
        "created_at": NOW,
        "started_at": NOW,
    }
    return Run(**{**known, **fields})


def a_job(run_id: str | None, step: str = "a", **fields: Any) -> Job:
    known: dict[str, Any] = {
        "id": new_id("job"),
        "run_id": run_id,
        "step": step,
        "tool_id": "tool-work",
        "state": JobState.QUEUED,
        "execution": Execution(),
        "created_at": NOW,
    }
    return Job(**{**known, **fields})


async def settled(times=100):
    """Let the scheduler's tasks do all they can do now."""
    for _ in range(times):
        await checkpoint()
