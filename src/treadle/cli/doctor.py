"""`treadle doctor`: is everything here that Treadle needs, and in order?"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli import printing
from treadle.cli.options import Json
from treadle.cli.where import Where
from treadle.server.settings import Settings

if TYPE_CHECKING:
    from treadle.cli.checks.finding import Finding

STYLES = {"ok": "green", "warning": "yellow", "broken": "bold red", "absent": "dim"}


def doctor(
    where: Where,
    as_json: Json = False,
    optional: Annotated[bool, typer.Option(help="Look for optional parts too.")] = True,
) -> None:
    """Examine this machine, the data directory and the project; exit 1 if something is broken.

    With a server: the way to it, what it says and the token, instead of machine and directory.
    """
    settings = where.settings()
    findings = list(examine(settings, Path.cwd(), optional=optional))
    broken = any(finding.status == "broken" for finding in findings)
    if as_json:
        printing.say_json({"ok": not broken, "findings": findings})
    else:
        _print(findings)
    raise typer.Exit(printing.FAILED if broken else printing.OK)


def _print(findings: list["Finding"]) -> None:
    """Each finding on its line, and below it the next step."""
    rows: list[tuple[object, ...]] = []
    for finding in findings:
        style = STYLES[finding.status]
        rows.append(((finding.status, style), finding.what, finding.says))
        if finding.hint:
            rows.append(("", "", (finding.hint, style)))
    printing.table(("", "part", "found"), rows)


def examine(settings: Settings, folder: Path, *, optional: bool = True) -> Iterator["Finding"]:
    """All findings, in the order in which a person would look."""
    from treadle.cli.checks import (  # noqa: PLC0415 - they load much that help does not need
        data,
        machine,
        programs,
        project,
        server,
    )

    if settings.server:
        from treadle.server.known_tokens import known_token  # noqa: PLC0415 - for servers only

        token = known_token(settings.data_dir, settings.server)
        yield from server.examine(settings.server, token or "")
    else:
        yield from machine.examine(settings)
        yield from data.examine(settings)
    yield from project.examine(folder)
    if optional and not settings.server:
        yield from programs.examine(settings)
