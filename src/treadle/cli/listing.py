"""`treadle ps`, `show` and `metrics`."""

import contextlib
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from treadle.cli import groups, printing, summary
from treadle.cli.board import in_words
from treadle.cli.graph import AsDot, AsMermaid, AsSvg, AsText, To, form_of, of_run, put
from treadle.cli.linger import tell_of_standing
from treadle.cli.options import Best, Json, RunId
from treadle.cli.printing import say
from treadle.cli.where import Where
from treadle.errors import InvalidRequest, NotFound
from treadle.model.groups import Goal
from treadle.model.records import Job, Metric, Run
from treadle.model.states import RUN_ENDS, JobState, RunState

STYLES = {
    RunState.COMPLETED: "green",
    RunState.FAILED: "bold red",
    RunState.ABORTED: "yellow",
    RunState.ABORTING: "yellow",
    RunState.RUNNING: "cyan",
}
MOST_JOBS = 200  #: shown by `show` without --all


def ps(  # noqa: PLR0913 - one for each option of the command
    where: Where,
    state: Annotated[
        str | None, typer.Option(help="Only these: running, queued, completed, failed, ...")
    ] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only runs of this pipeline.")] = None,
    label: Annotated[
        str | None, typer.Option(metavar="KEY=VALUE", help="Only runs with this label.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="[NAME]",
            help="Compare the runs of a group; without a name, list the groups.",
        ),
    ] = None,
    best: Best = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    all_runs: Annotated[bool, typer.Option("--all", "-a", help="All of them.")] = False,
    as_json: Json = False,
) -> None:
    """List runs, newest first; or groups of runs, and what became of them."""
    asked = {"state": state, "pipeline": pipeline, "label": label}
    if group is not None or best is not None:
        _refuse_together(group, asked)
        how_many = None if all_runs else limit
        _ps_group(group or groups.ALL, best, how_many, where, as_json)
        return
    runs: list[Run] = []
    stands_still = False
    with (
        contextlib.suppress(NotFound),  # a data directory that is not there yet
        where.opened(start=False) as door,
    ):
        runs = door.runs(limit=None if all_runs else limit, **asked)
        stands_still = door.read_only
    if as_json:
        printing.say_json({"runs": runs})
    elif runs:
        printing.table(
            ("run", "pipeline", "state", "steps", "started", "took", "parameters"),
            map(_run_row, runs),
            numbers=("steps", "took"),
        )
        if stands_still:
            tell_of_standing(runs)
    else:
        printing.tell("No runs." if any(asked.values()) else "No runs yet: treadle run FILE")


def _refuse_together(group: str | None, asked: dict[str, str | None]) -> None:
    others = [f"--{name}" for name, value in asked.items() if value]
    if group is None:
        hint = "treadle ps --group NAME --best METRIC"
        raise InvalidRequest("--best compares the runs of a group.", hint=hint)
    if others:
        raise InvalidRequest(f"--group does not go together with {', '.join(others)}.")


def _ps_group(group: str, best: str | None, limit: int | None, where: Where, as_json: bool) -> None:
    goal = Goal.read(best) if best is not None else None
    with contextlib.ExitStack() as stack:
        try:
            door = stack.enter_context(where.opened(start=False))
        except NotFound:  # a data directory that is not there yet
            if group != groups.ALL:
                raise
            groups.tell_groups([], [], None, as_json=as_json)
            return
        if group == groups.ALL:
            groups.list_groups(door, goal, limit=limit, as_json=as_json)
        else:
            groups.show_group(door, group, goal, every=limit is None, as_json=as_json)


def _run_row(run: Run) -> Sequence[Any]:
    name = f"{run.labels['name']} " if "name" in run.labels else ""
    failed = f" ({run.jobs_failed} failed)" if run.jobs_failed else ""
    return (
        (run.id, "bold"),
        run.pipeline,
        (run.state.value, STYLES.get(run.state, "")),
        f"{run.jobs_total - run.jobs_left}/{run.jobs_total}{failed}",
        printing.ago(run.created_at),
        printing.span(run.started_at or run.created_at, run.ended_at),
        (name + printing.pairs(run.parameters), "dim"),
    )


def show(  # noqa: PLR0913 - one for each option of the command
    where: Where,
    run_id: RunId,
    every: Annotated[bool, typer.Option("--all", "-a", help="All steps, however many.")] = False,
    as_graph: Annotated[bool, typer.Option("--graph", help="Draw it, coloured by state.")] = False,
    as_text: AsText = False,
    as_mermaid: AsMermaid = False,
    as_dot: AsDot = False,
    as_svg: AsSvg = False,
    file: To = None,
    as_json: Json = False,
) -> None:
    """Show one run: its steps with states, times and results, and what failed."""
    forms = {"text": as_text, "mermaid": as_mermaid, "dot": as_dot, "svg": as_svg}
    drawn = as_graph or file is not None or any(forms.values())
    form = form_of(forms, file, every=every)
    with where.opened(start=False) as door:
        told = door.snapshot(door.find(run_id).id)
        stands_still = door.read_only
        if drawn and not as_json:
            put(of_run(told), form)
            return
        metrics = door.metrics(told.run.id)
    if as_json:
        printing.say_json({"run": told.run, "jobs": told.jobs, "edges": told.edges})
        return
    _print_run(told.run)
    values = summary.last_metrics(metrics)
    rows = [_job_row(job, values.get(job.id, {})) for job in told.jobs]
    shown = rows if every else rows[:MOST_JOBS]
    printing.table(("", "step", "state", "took", ""), shown, numbers=("took",))
    if len(shown) < len(rows):
        say(f"... and {len(rows) - len(shown)} more: treadle show {told.run.id} --all")
    say()
    failed = [job for job in told.jobs if job.state is JobState.FAILED]
    how_to_see_all = f"treadle show {told.run.id} --all"
    summary.tell_failures(failed, how_to_see_all, most=None if every else summary.MOST_FAILURES)
    if told.run.state in (RunState.FAILED, RunState.ABORTED):
        say("\n".join(summary.next_steps(told.run, told.jobs)))
    if stands_still:
        tell_of_standing([told.run])


def _print_run(run: Run) -> None:
    facts = {
        "run": run.id,
        "pipeline": f"{run.pipeline} (version {run.pipeline_version[:12]})",
        "state": run.state.value + (f": {run.reason}" if run.reason else ""),
        "parameters": printing.pairs(run.parameters),
        "labels": printing.pairs(run.labels),
        "created": f"{run.created_at.astimezone():%Y-%m-%d %H:%M:%S}",
        "took" if run.state in RUN_ENDS else "running for": printing.span(
            run.created_at, run.ended_at
        ),
        "priority": str(run.priority) if run.priority else "",
        "retry of": run.retry_of or "",
    }
    for name, value in facts.items():
        if value:
            say(f"{name:<11} {value}")
    say()


def _job_row(job: Job, metrics: dict[str, float]) -> Sequence[Any]:
    mark, style = printing.glyph(job.state)
    said = [f"{name}={printing.number(value)}" for name, value in list(metrics.items())[:4]]
    if job.attempt > 1:
        said.insert(0, f"attempt {job.attempt}")
    if job.failure and job.state is not JobState.COMPLETED:
        said.append(job.failure.message)
    elif reason := in_words(job.state, job.reason):
        said.append(reason)
    took = printing.span(job.started_at, job.ended_at)
    state = (job.state.value, style)
    return ((mark, style), job.step, state, took, (" ".join(said), "dim"))


def metrics(
    where: Where,
    run_id: RunId,
    history: Annotated[
        bool, typer.Option(help="Every value that was logged, not only the last ones.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the metrics that the steps of a run logged."""
    with where.opened(start=False) as door:
        run = door.find(run_id)
        values, told = door.metrics(run.id), door.snapshot(run.id)
        arguments = door.arguments(run.id) if not (as_json or history) else {}
    steps = {job.id: job.step for job in told.jobs}
    if as_json:
        printing.say_json({"run": run.id, "metrics": [_metric(each, steps) for each in values]})
    elif not values:
        printing.tell("No metrics: a step logs them with treadle.log_metric(name, value).")
    elif history:
        _history(values, steps)
    else:
        last = summary.last_metrics(values)
        summary.metrics_table(told.jobs, last, arguments, most=len(told.jobs))


def _metric(metric: Metric, steps: dict[str, str]) -> dict[str, Any]:
    return {
        "job": metric.job_id,
        "job_step": steps.get(metric.job_id, ""),
        "attempt": metric.attempt,
        "name": metric.name,
        "value": metric.value,
        "step": metric.step,
        "at": metric.at,
    }


def _history(values: Sequence[Metric], steps: dict[str, str]) -> None:
    rows = [
        (
            steps.get(each.job_id, ""),
            each.attempt,
            each.name,
            "" if each.step is None else each.step,
            printing.number(each.value),
            (f"{each.at.astimezone():%H:%M:%S}", "dim"),
        )
        for each in values
    ]
    headings = ("step", "attempt", "metric", "at step", "value", "time")
    printing.table(headings, rows, numbers=("attempt", "at step", "value"))
