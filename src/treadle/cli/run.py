"""`treadle run` and `retry`: begin a run, show it to its end."""

from pathlib import Path
from typing import Annotated

import typer

from treadle.cli import printing, summary
from treadle.cli.door import Door
from treadle.cli.follow import Outcome, follow, show, view_for
from treadle.cli.inbox import Begin
from treadle.cli.linger import linger
from treadle.cli.options import (
    Best,
    Detach,
    Json,
    OneGroup,
    OneRun,
    Param,
    Quiet,
    Target,
)
from treadle.cli.sweep import Showing, Sweep, one_of, retry_group, run_sweep
from treadle.cli.where import WhereToRun
from treadle.errors import Conflict, InvalidRequest, NotFound
from treadle.model.graph import nearest
from treadle.model.grid import grid_of
from treadle.model.groups import GROUP, Goal, checked_name
from treadle.model.records import Run

PIPELINE_FILES = ("treadle.yaml", "treadle.yml", "treadle.json")
_RUNNABLE = ("*.yaml", "*.yml", "*.py")  #: what else may be a pipeline, likely ones first


def run(  # noqa: PLR0913 - one for each option of the command
    where: WhereToRun,
    target: Target = ".",
    param: Param = None,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep",
            help="Take -p lr=0.1,0.01 -p seed=1..5 as a grid: a run for each combination.",
        ),
    ] = False,
    best: Best = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which runs to count these among (the label `group`)."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before a very large sweep.")
    ] = False,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A name for it.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="KEY=VALUE", help="A label to find it by."),
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(metavar="N", help="Higher goes first.", show_default="as the pipeline says"),
    ] = None,
    fail_fast: Annotated[
        bool | None,
        typer.Option(
            help="After the first failed step, abort all others.",
            show_default="as the pipeline says",
        ),
    ] = None,
    detach: Detach = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a pipeline and show it to its end; no server is needed.

    When another treadle process works on the same data directory, it takes the run over.
    """
    file, pipeline = find_target(target)
    labels = given_pairs(label or [], "--label") | ({"name": name} if name else {})
    if sweep:
        options = {"labels": labels, "priority": priority, "fail_fast": fail_fast}
        grid = grid_of([_pair(each, "-p") for each in param or []])
        swept = Sweep(
            file=file,
            pipeline=pipeline,
            grid=grid,
            group=group or labels.get(GROUP),
            options={name: value for name, value in options.items() if value is not None},
        )
        goal = Goal.read(best) if best is not None else None
        showing = Showing(goal=goal, detach=detach, quiet=quiet, as_json=as_json)
        run_sweep(swept, where, showing, yes=yes)
        return
    if best is not None:
        raise InvalidRequest(
            "--best compares the runs of a sweep.", hint="Add --sweep, or use: treadle ps --group"
        )
    labels |= {GROUP: checked_name(group)} if group else {}
    values = given_pairs(param or [], "-p")

    def submit(door: Door) -> Run:
        return door.submit_file(
            file,
            pipeline,
            text_parameters=values,
            priority=priority,
            fail_fast=fail_fast,
            labels=labels,
        )

    what = f"loading {target}"
    _carry_out(where, submit, what, detach=detach, quiet=quiet, as_json=as_json)


def retry(
    where: WhereToRun,
    run_id: OneRun = None,
    group: OneGroup = None,
    detach: Detach = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a failed or aborted run again; steps that completed are reused."""
    chosen = one_of(run_id, group)
    if group is not None:
        retry_group(group, where, Showing(detach=detach, quiet=quiet, as_json=as_json))
        return

    def again(door: Door) -> Run:
        return door.retry(door.find(chosen).id)

    what = f"retrying {chosen}"
    _carry_out(where, again, what, detach=detach, quiet=quiet, as_json=as_json)


def _carry_out(
    where: WhereToRun, begin: Begin, what: str, *, detach: bool, quiet: bool, as_json: bool
) -> None:
    with where.opened(start=True) as door:
        if detach:
            _detach(door, begin, where.options, as_json=as_json)
            return
        outcome = follow(door, begin, view_for(quiet=quiet or as_json), what=what)
        if not outcome.left:
            show(_tell_end, door, outcome, where.options, as_json)
        if outcome.may_linger:
            linger(door)
    raise typer.Exit(outcome.exit_code)


def _detach(door: Door, begin: Begin, options: str, *, as_json: bool) -> None:
    if door.embedded:
        raise Conflict(
            "There is nobody to leave the run to: no other treadle process owns this directory.",
            hint="Leave --detach out, and this command runs it to its end; or start a server: "
            "treadle up",
        )
    record = begin(door)
    if as_json:
        printing.say_json({"run": record})
    else:
        printing.say(f"{record.id}  {record.state}\n  treadle logs -f {record.id}{options}")


def _tell_end(door: Door, outcome: Outcome, options: str, as_json: bool) -> None:
    if outcome.run is None:
        printing.tell("Aborted before the run began.")
    elif as_json:
        told = summary.document(door, outcome.run)
        printing.say_json(told | {"exit_code": outcome.exit_code})
    else:
        summary.tell(door, outcome.run, options=options)


def find_target(target: str) -> tuple[Path, str | None]:
    """(file, pipeline's name) of FILE[:PIPELINE]; of a folder, its pipeline file.

    Raises NotFound with the nearest file names.
    """
    if Path(target).is_dir():
        return _file_of_folder(Path(target)), None
    if Path(target).exists():
        return Path(target), None
    file, colon, pipeline = target.rpartition(":")
    if colon and Path(file).is_file():
        return Path(file), pipeline or None
    wanted = Path(file if colon and pipeline.isidentifier() else target)
    raise NotFound(f"There is no file {wanted}.", hint=_nearest_file(wanted))


def _file_of_folder(folder: Path) -> Path:
    found = [folder / name for name in PIPELINE_FILES if (folder / name).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(file.name for file in found)
        raise InvalidRequest(f"There are {names} in {folder.absolute()}.", hint="Say which one.")
    others = [str(e) for pattern in _RUNNABLE for e in sorted(folder.glob(pattern))][:5]
    hint = f"Name a file, for instance {', '.join(others)}." if others else ""
    raise NotFound(
        f"There is no {PIPELINE_FILES[0]} in {folder.absolute()}.",
        hint=hint or "`treadle init` makes a small project.",
    )


def _nearest_file(wanted: Path) -> str:
    if not wanted.parent.is_dir():
        return f"There is no folder {wanted.parent} either."
    files = [str(each) for each in wanted.parent.iterdir() if each.is_file()]
    return nearest(str(wanted), files) or nearest(f"{wanted}.py", files)


def given_pairs(given: list[str], option: str) -> dict[str, str]:
    """KEY=VALUE of an option that may be given often. Raises InvalidRequest."""
    return dict(_pair(each, option) for each in given)


def _pair(given: str, option: str) -> tuple[str, str]:
    key, equals, value = given.partition("=")
    if not equals or not key:
        raise InvalidRequest(f"{option} {given}: expected KEY=VALUE.")
    return key.strip(), value
