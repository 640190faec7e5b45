"""`treadle run --sweep`: a grid of parameters as one group of runs, begun, shown and compared."""

import sys
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from treadle.cli import groups, printing
from treadle.cli.door import Door
from treadle.cli.fleet_follow import BeginAll, Begun, FleetOutcome, Loaded, follow_all, named
from treadle.cli.fleet_views import counted, fleet_view
from treadle.cli.follow import show
from treadle.cli.linger import linger
from treadle.cli.where import WhereToRun
from treadle.errors import Aborted, Conflict, InvalidRequest, TreadleError
from treadle.model.grid import Grid
from treadle.model.groups import GROUP, Comparison, Goal, checked_name, new_name, present
from treadle.model.records import Run, Submission
from treadle.model.states import RunState

MOST_UNASKED = 1_000  #: runs that one command starts without asking


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """How the command is to speak, and how long to stay."""

    goal: Goal | None = None
    detach: bool = False
    quiet: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What to run. options: of each run alike (labels, priority, fail_fast)."""

    file: Path
    pipeline: str | None
    grid: Grid
    group: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def begin(self, door: Door) -> Generator[Begun, None, None]:
        """Read and check every combination; then start them all.

        Raises what is wrong with the first wrong one, named; nothing has started then.
        """
        total = len(self.grid)
        yield Loaded(0, total)
        submissions: list[Submission] = []
        for submission in self._load(door):
            submissions.append(submission)
            yield Loaded(len(submissions), total)
        name = self.group or _new_name(door, submissions[0].pipeline.name)
        yield Loaded(total, total, name)
        for submission in submissions:
            yield door.submit(replace(submission, labels={**submission.labels, GROUP: name}))

    def _load(self, door: Door) -> Iterator[Submission]:
        combinations = list(self.grid)
        variations = [
            {
                "text_parameters": each.text_parameters,
                "parameters": each.parameters,
                **self.options,
            }
            for each in combinations
        ]
        loaded = door.load_each(self.file, self.pipeline, variations)
        for combination in combinations:
            try:
                yield next(loaded)
            except TreadleError as error:
                raise named(error, combination.name) from None


def _new_name(door: Door, pipeline: str) -> str:
    taken = [group.name for group in door.groups(limit=200)]
    return new_name(pipeline, datetime.now().astimezone(), taken)


def run_sweep(sweep: Sweep, where: WhereToRun, showing: Showing, *, yes: bool) -> None:
    """Start the grid, and show it to its end.

    Raises InvalidRequest where so many runs need a yes, Aborted where the answer was no.
    """
    if sweep.group is not None:
        checked_name(sweep.group)
    if len(sweep.grid) > MOST_UNASKED and not yes:
        _ask(sweep.grid, as_json=showing.as_json)
    carry_out(where, sweep.begin, showing)


def _ask(grid: Grid, *, as_json: bool) -> None:
    shape = f" ({grid})" if " x " in str(grid) else ""
    what = f"start {len(grid):,} runs{shape}"
    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidRequest(f"This would {what}.", hint="Add --yes if that is meant.")
    if not typer.confirm(f"This will {what}. Go on?"):
        raise Aborted("Nothing was started.")


def one_of(run_id: str | None, group: str | None) -> str:
    """The one that was given, a run or a group. Raises InvalidRequest for none and for both."""
    if (run_id is None) == (group is None):
        said = "Both a run and a group are named." if group else "Which run is not said."
        raise InvalidRequest(said, hint="Name a run (or @last), or a group with --group NAME.")
    return run_id or group or ""


def retry_group(name: str, where: WhereToRun, showing: Showing) -> None:
    """Retry what failed or was aborted in a group, and show it to its end."""

    def begin(door: Door) -> Generator[Begun, None, None]:
        bad = (RunState.FAILED, RunState.ABORTED)
        runs = [run for run in present(door.group(name).runs) if run.state in bad]
        if not runs:
            raise Conflict(f"No run of the group {name!r} has failed or was aborted.")
        yield Loaded(len(runs), len(runs), name)
        for run in runs:
            yield door.retry(run.id)

    carry_out(where, begin, showing)


def abort_group(door: Door, name: str, *, wait: bool, grace_seconds: float | None) -> list[Run]:
    """Abort the runs of a group that have not ended; all its runs, as they are then."""
    runs = present(door.group(name).runs)
    unended = [run for run in runs if run.ended_at is None]
    for run in unended:
        door.abort(run.id, grace_seconds=grace_seconds)
    for run in unended if wait else ():
        door.wait(run.id)
    return present(door.group(name).runs)


def carry_out(where: WhereToRun, begin: BeginAll, showing: Showing) -> None:
    """Begin the runs of a group and show them; ends the command with its exit code."""
    with where.opened(start=True) as door:
        if showing.detach:
            _detach(door, begin, where.options, as_json=showing.as_json)
            return
        view = fleet_view(quiet=showing.quiet or showing.as_json, goal=showing.goal)
        outcome = follow_all(door, begin, view)
        if not outcome.left:
            show(_tell_end, door, outcome, where.options, showing)
        if not (outcome.left or outcome.aborting):
            linger(door)
    raise typer.Exit(outcome.exit_code)


def _detach(door: Door, begin: BeginAll, options: str, *, as_json: bool) -> None:
    if door.embedded:
        raise Conflict(
            "There is nobody to leave the runs to: no other treadle process owns this directory.",
            hint="Leave --detach out, and this command runs them to their end; or start a server: "
            "treadle up",
        )
    begun = list(begin(door))
    runs = [each for each in begun if isinstance(each, Run)]
    name = runs[0].labels[GROUP]
    if as_json:
        printing.say_json({"group": name, "runs": runs})
    else:
        printing.say(f"{name}  {counted(len(runs))} started\n  treadle ps --group {name}{options}")


def _tell_end(door: Door, outcome: FleetOutcome, options: str, showing: Showing) -> None:
    name = outcome.fleet.name
    if not outcome.fleet.runs:
        printing.tell("Aborted before any run began.")
        return
    comparison = groups.compared(door, name, showing.goal)
    if showing.as_json:
        told = groups.document(name, comparison, showing.goal)
        printing.say_json(told | {"exit_code": outcome.exit_code})
        return
    groups.table(name, comparison, showing.goal, every=False)
    if showing.goal is not None:
        _tell_unknown(comparison, showing.goal)
    _tell_next(outcome, comparison, options)


def _tell_unknown(comparison: Comparison, goal: Goal) -> None:
    """A metric that nobody logged is no error any more: the runs are done."""
    if not comparison.metrics:
        printing.tell("\nNo run has logged a metric: a step does so with treadle.log_metric.")
    try:
        comparison.refuse_unknown(goal)
    except InvalidRequest as error:
        printing.tell(f"\n{error.sentence}")


def _tell_next(outcome: FleetOutcome, comparison: Comparison, options: str) -> None:
    fleet = outcome.fleet
    failed = [run for run in fleet.runs.values() if run.state is RunState.FAILED]
    said = ", ".join(f"{count} {state}" for state, count in fleet.counts().items())
    left = fleet.total - len(fleet.runs)
    printing.say(f"\n{fleet.name}: {said}" + (f", {left} never begun" if left > 0 else ""))
    metric = next(iter(comparison.metrics), "METRIC")
    found = [(f"treadle ps --group {fleet.name} --best {metric}", "the best run first")]
    if comparison.best is not None:
        found = [(f"treadle show {comparison.best}", "the best run")]
    if failed:
        found = [
            (f"treadle show {failed[0].id}", "why the first of them failed"),
            (f"treadle retry --group {fleet.name}", "run again what failed or was aborted"),
        ]
    width = max(len(command) for command, _ in found)
    for command, does in found:
        printing.say(f"  {command + options:<{width + len(options)}}  {does}")
