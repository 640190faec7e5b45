"""`treadle events`: the diary of all runs, as lines."""

from typing import Annotated

import typer

from treadle.cli import printing
from treadle.cli.options import Json, moment
from treadle.cli.where import Where
from treadle.model.records import Event


def events(
    where: Where,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on; without --since, from now on.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From then on: 2h for so long ago, or 2026-11-21T12:00."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only these: run, job, job.failed, ...")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what happened to all runs, oldest first; with -f, what happens from now on.

    With --json, one JSON object on each line.
    """
    earliest = moment(since, "--since")
    with where.opened(start=False) as door:
        is_from_now_on = follow and earliest is None
        happened = door.all_events(follow=follow, after=None if is_from_now_on else "0")
        for event in happened:
            if (earliest is None or event.at >= earliest) and _fits(event, kind):
                _print(event, as_json=as_json)


def _fits(event: Event, kind: str | None) -> bool:
    """A kind has all below it: job.failed is a job."""
    return kind is None or event.kind == kind or event.kind.startswith(f"{kind}.")


def _print(event: Event, *, as_json: bool) -> None:
    if as_json:
        printing.say_json(event, line=True)
    else:
        printing.say(_line(event))


def _line(event: Event) -> str:
    """Time, run, step, what happened, and the facts."""
    told = event.data
    parts = (
        f"{event.at.astimezone():%Y-%m-%d %H:%M:%S}",
        event.stream,
        str(told.get("step", "")),
        event.kind,
        f"attempt {told['attempt']}" if told.get("attempt", 1) > 1 else "",
        str(told.get("reason") or "") if event.kind != "job.leased" else "",  # it waits no more
    )
    return "  ".join(filter(None, parts))
