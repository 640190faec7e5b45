"""Arguments and options that several commands share. Each option has an environment twin."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from treadle.errors import InvalidRequest
from treadle.model.quantities import duration

RunId = Annotated[
    str, typer.Argument(metavar="ID", help="A run's id, its unique beginning, or @last.")
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE[:PIPELINE]",
        help="A pipeline file (YAML, JSON), or a Python file with a pipeline in it.",
        show_default="treadle.yaml",
    ),
]
Param = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="KEY=VALUE", help="A parameter; what is no text is JSON."
    ),
]
OneRun = Annotated[
    str | None,
    typer.Argument(metavar="ID", help="A run's id, its unique beginning, or @last."),
]
OneGroup = Annotated[
    str | None,
    typer.Option("--group", metavar="NAME", help="All runs of this group instead of one run."),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="TREADLE_DATA_DIR",
        metavar="DIR",
        readable=False,  # who opens it says better what is wrong with it
        help="Folder that holds all state.",
        show_default="per user",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="TREADLE_SERVER",
        metavar="URL",
        help="Address of a server (`treadle up`) to use instead of a data directory.",
        show_default="none",
    ),
]
Slots = Annotated[
    int | None,
    typer.Option(
        "--slots",
        envvar="TREADLE_SLOTS",
        metavar="N",
        min=1,
        help="Jobs at a time, when this command starts the engine.",
        show_default="processors",
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", envvar="TREADLE_JSON", help="Print JSON and nothing else."),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", envvar="TREADLE_QUIET", help="Show the end only."),
]
Detach = Annotated[
    bool,
    typer.Option(
        "--detach",
        help="Return at once and leave the run to the server, or to the process that owns the "
        "data directory.",
    ),
]
Best = Annotated[
    str | None,
    typer.Option(
        "--best",
        metavar="METRIC[:min]",
        help="Put the run with the highest value of this metric first; with :min, the lowest.",
    ),
]


def moment(given: str | None, option: str) -> datetime | None:
    """The time that is meant: 2h for so long ago, or a date or time as in 2026-11-21T12:00, which
    is local where it names no zone. Raises InvalidRequest.
    """
    if given is None:
        return None
    try:
        return datetime.now().astimezone() - duration(given)
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(given).astimezone()
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{option} {given}: no time is called so.",
            hint="Write 30m, 2h or 7d for so long ago, or a date such as 2026-11-21T12:00.",
        ) from None
