"""`treadle ps --group`: the groups of runs, or one of them as a table of parameters and metrics."""

import sys
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from treadle.cli import printing
from treadle.cli.door import Door
from treadle.cli.fleet_views import short
from treadle.model.groups import Comparison, Goal, Group, Trial, compare
from treadle.model.records import Run
from treadle.model.states import JobState, RunState

MOST_ROWS = 50  #: of one group, on a terminal, without --all
MOST_METRICS = 6  #: columns, on a terminal, without --all
ALL = ""  #: what `--group` alone stands for
_OPTION = "--group"


class GroupCommand(TyperCommand):
    """A command whose option `--group` may stand without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`--group` at the end, or before another option, becomes `--group ""`."""
        completed = []
        for each, following in zip(args, [*args[1:], "-"], strict=False):
            completed.append(each)
            if each == _OPTION and following.startswith("-"):
                completed.append(ALL)
        return super().parse_args(ctx, completed)


def compared(door: Door, name: str, goal: Goal | None) -> Comparison:
    """The runs of a group side by side. Raises NotFound."""
    told = door.group(name)
    return compare(told.runs, door.last_values(run.id for run in told.runs), goal, told.began)


# one group


def show_group(door: Door, name: str, goal: Goal | None, *, every: bool, as_json: bool) -> None:
    """Print a group. Raises NotFound, or InvalidRequest for a metric that no run has."""
    comparison = compared(door, name, goal)
    if goal is not None:
        comparison.refuse_unknown(goal)
    if as_json:
        printing.say_json(document(name, comparison, goal))
    else:
        table(name, comparison, goal, every=every)


def document(name: str, comparison: Comparison, goal: Goal | None) -> dict[str, Any]:
    """A group for a program."""
    return {
        "group": name,
        "runs": [
            {"run": t.run, "began_at": t.began_at, "metrics": dict(t.metrics)}
            for t in comparison.trials
        ],
        "varying": comparison.parameters,
        "best": comparison.best,
        "goal": goal,
    }


def table(name: str, comparison: Comparison, goal: Goal | None, *, every: bool) -> None:
    """A row for each run: parameters that vary beside metrics, the best one marked."""
    small = sys.stdout.isatty() and not every
    metrics = _metrics_shown(comparison, goal)
    shown = metrics[:MOST_METRICS] if small else metrics
    trials = comparison.trials[:MOST_ROWS] if small else comparison.trials
    rows = [_row(trial, comparison, shown) for trial in trials]
    headings = ("", "run", *comparison.parameters, *shown, "took", "")
    printing.table(headings, rows, numbers=(*shown, "took"), whole=("run",))
    left_out = [
        f"{len(metrics) - len(shown)} more metrics" if len(metrics) > len(shown) else "",
        f"{len(comparison.trials) - len(trials)} more runs" if trials != comparison.trials else "",
    ]
    if any(left_out):
        more = " and ".join(filter(None, left_out))
        printing.say(f"... and {more}: treadle ps --group {name} --all")
    best = next((t for t in comparison.trials if t.run.id == comparison.best), None)
    if best is not None and goal is not None:
        printing.say(f"\n{_praise(best, goal)}")


def _metrics_shown(comparison: Comparison, goal: Goal | None) -> Sequence[str]:
    """The one that counts first."""
    if goal is None or goal.metric not in comparison.metrics:
        return comparison.metrics
    return [goal.metric, *(name for name in comparison.metrics if name != goal.metric)]


def _row(trial: Trial, comparison: Comparison, metrics: Sequence[str]) -> Sequence[Any]:
    run = trial.run
    is_best = run.id == comparison.best
    mark, style = printing.glyph(JobState(run.state.value))
    parameters = [short(trial.parameters.get(name, "")) for name in comparison.parameters]
    values = [printing.number(trial.metrics[n]) if n in trial.metrics else "" for n in metrics]
    row = [(text, "bold green") if is_best else text for text in (run.id, *parameters, *values)]
    took = (printing.span(trial.began_at, run.ended_at), "dim")
    return [("★" if is_best else mark, style), *row, took, (_remark(run, is_best=is_best), "dim")]


def _remark(run: Run, *, is_best: bool) -> str:
    if is_best:
        return "best"
    if run.state is RunState.FAILED:
        return run.reason
    return "" if run.state is RunState.COMPLETED else run.state.value


def _praise(best: Trial, goal: Goal) -> str:
    told = f"{goal} = {printing.number(best.metrics[goal.metric])}"
    return f"best: {best.run.id}  {printing.pairs(best.parameters)}  {told}"


# all groups


def list_groups(door: Door, goal: Goal | None, *, limit: int | None, as_json: bool) -> None:
    """Print the groups, newest first; with a goal, the best run of each."""
    found = door.groups(limit=limit)
    best = [_best(door, group, goal) for group in found] if goal is not None else []
    tell_groups(found, best, goal, as_json=as_json)


def tell_groups(
    found: Sequence[Group], best: Sequence[Trial | None], goal: Goal | None, *, as_json: bool
) -> None:
    """best: of each group, where there is a goal."""
    if as_json:
        told = [_told(group) for group in found]
        for each, trial in zip(told, best, strict=False):
            each["best"] = None if trial is None else _best_told(trial)
        printing.say_json({"groups": told})
    elif found:
        _print_groups(found, best, goal)
    else:
        printing.tell("No groups yet: treadle run FILE -p NAME=A,B --sweep")


def _best(door: Door, group: Group, goal: Goal) -> Trial | None:
    comparison = compared(door, group.name, goal)
    return comparison.trials[0] if comparison.best is not None else None


def _told(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "pipelines": group.pipelines,
        "runs": group.runs,
        "states": group.states,
        "created_at": group.created_at,
        "ended_at": group.ended_at,
        "newest": group.newest,
    }


def _best_told(trial: Trial) -> dict[str, Any]:
    return {"run": trial.run.id, "parameters": trial.parameters, "metrics": trial.metrics}


def _print_groups(found: Sequence[Group], best: Sequence[Trial | None], goal: Goal | None) -> None:
    headings = ["group", "pipeline", "runs", "states", "started", "took"]
    rows = [_group_row(group) for group in found]
    if goal is not None:
        headings += [str(goal), "of"]
        for row, trial in zip(rows, best, strict=True):
            row += _best_cells(trial, goal)
    printing.table(headings, rows, numbers=("runs", "took", str(goal)), whole=("group",))


def _best_cells(trial: Trial | None, goal: Goal) -> list[Any]:
    if trial is None:
        return ["", ""]
    value = printing.number(trial.metrics[goal.metric])
    return [(value, "bold green"), (printing.pairs(trial.parameters) or trial.run.id, "dim")]


def _group_row(group: Group) -> list[Any]:
    ended = group.ended_at if group.ended == group.runs else None
    state, style = _states(group)
    return [
        (group.name, "bold"),
        ", ".join(group.pipelines),
        str(group.runs),
        (state, style),
        printing.ago(group.created_at),
        printing.span(group.created_at, ended),
    ]


def _states(group: Group) -> tuple[str, str]:
    """`10 completed, 2 failed`, in the colour of what matters most."""
    said = ", ".join(f"{count} {state}" for state, count in group.states.items())
    for state in (JobState.FAILED, JobState.RUNNING, JobState.ABORTED):
        if state in group.states:
            return said, printing.glyph(state)[1]
    return said, printing.glyph(JobState.COMPLETED)[1]
