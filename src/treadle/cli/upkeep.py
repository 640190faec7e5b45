"""`treadle abort`, `rm`, `gc` and `version`."""

import platform
from collections import Counter
from typing import Annotated

import typer

import treadle
from treadle.cli import printing
from treadle.cli.options import Json, OneGroup, OneRun
from treadle.cli.sweep import abort_group, one_of
from treadle.cli.where import Where
from treadle.errors import Conflict
from treadle.model.records import Run
from treadle.model.states import RUN_ENDS


def abort(
    where: Where,
    run_id: OneRun = None,
    group: OneGroup = None,
    wait: Annotated[
        bool, typer.Option(help="Wait until nothing of the run is alive any more.")
    ] = True,
    grace: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds between SIGTERM and SIGKILL.", show_default="the step's"),
    ] = None,
    as_json: Json = False,
) -> None:
    """End a run: nothing of it starts any more, and what runs is stopped."""
    chosen = one_of(run_id, group)
    with where.opened(start=True) as door:
        if group is not None:
            _tell_aborted(abort_group(door, group, wait=wait, grace_seconds=grace), group, as_json)
            return
        run = door.find(chosen)
        if run.state not in RUN_ENDS:
            door.abort(run.id, grace_seconds=grace)
            run = door.wait(run.id) if wait else door.run(run.id)
    if as_json:
        printing.say_json({"run": run})
    else:
        printing.say(f"{run.id}  {run.state}")


def _tell_aborted(runs: list[Run], group: str, as_json: bool) -> None:
    if as_json:
        printing.say_json({"group": group, "runs": runs})
    else:
        counts = Counter(run.state.value for run in runs)
        said = ", ".join(f"{count} {state}" for state, count in counts.items())
        printing.say(f"{group}  {said}")


def rm(
    where: Where,
    run_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Runs to forget.")],
    as_json: Json = False,
) -> None:
    """Forget ended runs, with their events, metrics and logs; `gc` frees their data."""
    with where.opened(start=True) as door:
        runs = {run.id: run for run in map(door.find, run_ids)}
        for run in runs.values():
            if run.state not in RUN_ENDS:
                hint = f"End it first: treadle abort {run.id}"
                raise Conflict(f"Run {run.id} is {run.state}.", hint=hint)
        for run_id in runs:
            door.delete(run_id)
            if not as_json:
                printing.say(f"{run_id}  removed")
    if as_json:
        printing.say_json({"removed": list(runs)})


def gc(
    where: Where,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only say what would be freed.")
    ] = False,
    retention_days: Annotated[
        float | None,
        typer.Option(min=0, help="First forget runs that ended longer ago.", show_default="never"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Free what nothing refers to any more; what was stored within the last hour stays."""
    with where.opened(start=True) as door:
        freed = door.gc(dry_run=dry_run, retention_days=retention_days)
    if as_json:
        printing.say_json(freed)
        return
    verb = "would free" if dry_run else "freed"
    said = f"{freed['blobs']} blobs ({printing.size(freed['bytes'])})"
    said += f", {freed['folders']} folders, {freed['environments']} environments"
    printing.say(f"{verb} {said}, {freed['runs']} runs")


def version(as_json: Json = False) -> None:
    """Print the version."""
    if as_json:
        found = {"treadle": treadle.__version__, "python": platform.python_version()}
        printing.say_json(found)
    else:
        printing.say(f"treadle {treadle.__version__}")
