"""A run as it might be told: records and events, made up for drawing and counting."""

from datetime import UTC, datetime, timedelta

from treadle.model.records import Event, Execution, Job, Run
from treadle.model.states import JobState, RunState

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def a_run(jobs: int = 0, **changes) -> Run:
    values = {
        "id": "run_01k9x3m2qa7f3k2m9d",
        "pipeline": "compare",
        "pipeline_version": "1",
        "state": RunState.RUNNING,
        "created_at": START,
        "parameters": {"dataset": "wine"},
        "jobs_total": jobs,
    }
    return Run(**(values | changes))


def a_job(step: str, tool: str, position: int, state: JobState = JobState.WAITING) -> Job:
    return Job(
        id=f"job_{position}",
        run_id="run_01k9x3m2qa7f3k2m9d",
        step=step,
        tool_id=f"tool_{tool}",
        state=state,
        execution=Execution(),
        created_at=START,
        position=position,
    )


class Diary:
    """Makes events, numbered, a tenth of a second apart."""

    def __init__(self) -> None:
        self.number = 0

    def tell(self, kind: str, job_id: str | None = None, **data) -> Event:
        self.number += 1
        return Event(
            cursor=self.number,
            stream="run_01k9x3m2qa7f3k2m9d",
            number=self.number,
            at=START + timedelta(seconds=self.number / 10),
            kind=kind,
            job_id=job_id,
            data=data,
        )


def compare() -> tuple[list[Job], list[tuple[str, str]]]:
    """load -> three trainings -> best."""
    names = ["train", "train-2", "train-3"]
    jobs = [a_job("load", "load", 0, JobState.QUEUED)]
    jobs += [a_job(name, "train", i) for i, name in enumerate(names, 1)]
    jobs += [a_job("best", "best", 4)]
    edges = [("job_0", f"job_{i}") for i in (1, 2, 3)] + [(f"job_{i}", "job_4") for i in (1, 2, 3)]
    return jobs, edges
