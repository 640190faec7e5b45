"""`treadle audit`: who did what."""

import contextlib
from datetime import datetime
from typing import Annotated, Any

import typer

from treadle.cli import printing
from treadle.cli.options import Json
from treadle.cli.where import Where
from treadle.errors import NotFound

PREFIX = "/api/v1"
THIS_MACHINE = ("", "127.0.0.1", "::1")  #: "" is the Unix socket


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
        _tell(found)
    else:
        printing.tell("Nobody has written anything, or was refused.")


def _tell(found: list[dict[str, Any]]) -> None:
    """A table with room for a terminal: what would be the same in all rows is left out."""
    rows = [_row(entry) for entry in found]
    dull = {"from"} if all(entry["address"] in THIS_MACHINE for entry in found) else set()
    if all(entry["token"] in ("", entry["user"]) for entry in found):
        dull.add("token")
    headings = [heading for heading in rows[0] if heading not in dull]
    cells = [[row[heading] for heading in headings] for row in rows]
    printing.table(headings, cells, numbers=("status",), whole=("at",))


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    """Cells by their headings."""
    status = entry["status"] or 0
    made = entry["made"].rpartition("/")[2]
    request = f"{entry['method']} {entry['path'].removeprefix(PREFIX)}"
    return {
        "at": f"{datetime.fromisoformat(entry['at']).astimezone():%Y-%m-%d %H:%M:%S}",
        "user": entry["user"],
        "token": entry["token"],
        "from": entry["address"],
        "status": (str(status or "-"), "" if 200 <= status < 400 else "red"),
        "request": f"{request} -> {made}" if made else request,
    }
