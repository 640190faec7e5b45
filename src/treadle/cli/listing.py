"""`treadle show` and `metrics`."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from treadle.cli import printing, summary
from treadle.cli.graph import AsDot, AsMermaid, AsSvg, AsText, To, form_of, of_run, put
from treadle.cli.linger import tell_of_standing
from treadle.cli.options import Json, RunId
from treadle.cli.printing import say
from treadle.cli.where import Where
from treadle.client.board import in_words
from treadle.model.records import Job, Metric, Run
from treadle.model.states import RUN_ENDS, JobState, RunState

MOST_JOBS = 200  #: shown by `show` without --all


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
