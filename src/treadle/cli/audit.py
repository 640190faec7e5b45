"""`treadle audit`: who did what."""

import contextlib
from datetime import datetime
from typing import Annotated, Any

import typer

from treadle.cli import printing
from treadle.cli.options import Json
from treadle.cli.where import Where
from treadle.errors import NotFound


def audit(
    where: Where,
    user: Annotated[str | None, typer.Option(help="Only what this user did.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    every: Annotated[bool, typer.Option("--all", "-a", help="All that are kept.")] = False,
    as_json: Json = False,
) -> None:
    """List the requests that wrote something or were refused, newest first."""
    found: list[dict[str, Any]] = []
    with (
        contextlib.suppress(NotFound),  # a data directory that is not there yet
        where.opened(start=False) as door,
    ):
        found = list(door.audit(limit=None if every else limit, user=user))
    if as_json:
        printing.say_json({"entries": found})
    elif found:
        headings = ("at", "user", "token", "from", "request", "status", "made")
        printing.table(headings, map(_row, found), numbers=("status",))
    else:
        printing.tell("Nobody has written anything, or was refused.")


def _row(entry: dict[str, Any]) -> tuple[Any, ...]:
    status = entry["status"] or 0
    return (
        f"{datetime.fromisoformat(entry['at']).astimezone():%Y-%m-%d %H:%M:%S}",
        entry["user"],
        entry["token"],
        entry["address"],
        f"{entry['method']} {entry['path']}",
        (str(status or "-"), "" if 200 <= status < 400 else "red"),
        (entry["made"].rpartition("/")[2], "dim"),
    )
