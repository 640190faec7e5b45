"""`treadle wait`: until runs have ended."""

import math
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from treadle.cli import printing
from treadle.cli.door import Door
from treadle.cli.follow import EXIT_CODES
from treadle.cli.linger import tell_of_standing
from treadle.cli.options import Json
from treadle.cli.where import Where
from treadle.errors import InvalidRequest
from treadle.model.quantities import duration
from treadle.model.records import Run
from treadle.model.states import RUN_ENDS


def wait(
    where: Where,
    run_ids: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Runs: ids, their unique beginnings, or @last."),
    ],
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Give up after so long (30s, 5m, 2h): exit code 3, and the runs go on.",
            show_default="never",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Wait for runs to end, and end as they did: 0 if all completed, 1 if one failed.

    An interrupt ends the waiting and not the runs.
    """
    patience_seconds = math.inf if timeout is None else _seconds(timeout)
    with where.opened(start=False) as door:
        asked = {run.id: run for run in map(door.find, run_ids)}
        runs = _ended(door, list(asked.values()), patience_seconds)
        stands_still = door.read_only
    if as_json:
        printing.say_json({"runs": runs})
    else:
        for run in runs:
            printing.say(f"{run.id}  {run.state}{f': {run.reason}' if run.reason else ''}")
    if stands_still and not as_json:
        tell_of_standing(runs)
    raise typer.Exit(_exit_code(runs))


def _seconds(text: str) -> float:
    try:
        return duration(text).total_seconds()
    except ValueError as error:
        raise InvalidRequest(f"--timeout {text}: {error}.") from None


def _ended(door: Door, runs: Sequence[Run], patience_seconds: float) -> list[Run]:
    """The runs when they have ended; as they are, once the patience is over or nothing moves."""
    deadline = time.monotonic() + patience_seconds
    found = []
    for run in runs:
        left = deadline - time.monotonic()
        if run.state not in RUN_ENDS and not door.read_only:
            found.append(door.wait(run.id, None if left == math.inf else max(0.0, left)))
        else:
            found.append(run)
    return found


def _exit_code(runs: Sequence[Run]) -> int:
    """That of the run that ended worst; one that has not ended is worse still."""
    codes = {EXIT_CODES.get(run.state, printing.UNAVAILABLE) for run in runs}
    order = (printing.UNAVAILABLE, printing.FAILED, printing.INTERRUPTED)
    return next((code for code in order if code in codes), printing.OK)
