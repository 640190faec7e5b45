"""`treadle ps`: runs, newest first, and groups of runs."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from treadle.cli import groups, printing
from treadle.cli.linger import tell_of_standing
from treadle.cli.options import Best, Json, moment
from treadle.cli.where import Where
from treadle.errors import InvalidRequest, NotFound
from treadle.model.groups import Goal
from treadle.model.records import Run
from treadle.model.states import RunState

STYLES = {
    RunState.COMPLETED: "green",
    RunState.FAILED: "bold red",
    RunState.ABORTED: "yellow",
    RunState.ABORTING: "yellow",
    RunState.RUNNING: "cyan",
}


def ps(  # noqa: PLR0913 - one for each option of the command
    where: Where,
    state: Annotated[
        str | None, typer.Option(help="Only these: running, queued, completed, failed, ...")
    ] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only runs of this pipeline.")] = None,
    label: Annotated[
        str | None, typer.Option(metavar="KEY=VALUE", help="Only runs with this label.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Only this user's runs.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begun since then: 2h, 7d, 2026-11-21, or with a time."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Begun before then.")] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER",
            help="By created or ended, the oldest first; with - before it, the newest first.",
            show_default="-created",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="[NAME]",
            help="Compare the runs of a group; without a name, list the groups.",
        ),
    ] = None,
    best: Best = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    all_runs: Annotated[bool, typer.Option("--all", "-a", help="All of them.")] = False,
    as_json: Json = False,
) -> None:
    """List runs, newest first; or groups of runs, and what became of them."""
    asked = {
        "state": state,
        "pipeline": pipeline,
        "label": label,
        "user": user,
        "since": _at(since, "--since"),
        "until": _at(until, "--until"),
        "sort": sort,
    }
    if group is not None or best is not None:
        _refuse_together(group, asked)
        how_many = None if all_runs else limit
        _ps_group(group or groups.ALL, best, how_many, where, as_json)
        return
    runs, stands_still = _found(where, None if all_runs else limit, asked)
    if as_json:
        printing.say_json({"runs": runs})
    elif runs:
        _table(runs)
        if stands_still:
            tell_of_standing(runs)
    else:
        printing.tell("No runs." if any(asked.values()) else "No runs yet: treadle run FILE")


def _at(given: str | None, option: str) -> str | None:
    """As the API takes it."""
    found = moment(given, option)
    return found.isoformat() if found else None


def _found(
    where: Where, limit: int | None, asked: Mapping[str, str | None]
) -> tuple[list[Run], bool]:
    """(the runs, nobody works on them); none in a data directory that is not there yet."""
    try:
        with where.opened(start=False) as door:
            return door.runs(limit=limit, **asked), door.read_only
    except NotFound:
        if where.settings().server:
            raise
        return [], False


def _table(runs: Sequence[Run]) -> None:
    """A row for each; whose they are, where there is more than one user."""
    of_several = len({run.user for run in runs}) > 1
    user = ("user",) if of_several else ()
    printing.table(
        ("run", *user, "pipeline", "state", "steps", "started", "took", "parameters"),
        [_run_row(run, (run.user,) if of_several else ()) for run in runs],
        numbers=("steps", "took"),
    )


def _refuse_together(group: str | None, asked: Mapping[str, str | None]) -> None:
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


def _run_row(run: Run, user: tuple[str, ...]) -> Sequence[Any]:
    name = f"{run.labels['name']} " if "name" in run.labels else ""
    failed = f" ({run.jobs_failed} failed)" if run.jobs_failed else ""
    return (
        (run.id, "bold"),
        *user,
        run.pipeline,
        (run.state.value, STYLES.get(run.state, "")),
        f"{run.jobs_total - run.jobs_left}/{run.jobs_total}{failed}",
        printing.ago(run.created_at),
        printing.span(run.started_at or run.created_at, run.ended_at),
        (name + printing.pairs(run.parameters), "dim"),
    )
