"""Which house is meant: a server, or a data directory. Loads no typer, so completion has it too."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from treadle.errors import InvalidRequest
from treadle.server.settings import Settings, load


def chosen(
    server: str | None, data_dir: Path | None, typed: Collection[str], **more: Any
) -> Settings:
    """The settings; `server` is "" in them where the data directory is meant.

    server, data_dir: of the command line or the environment; typed: the names of those of the
    command line, which count before those of the environment. For the rest as `settings.load`.

    Raises InvalidRequest where both are typed.
    """
    if {"server", "data_dir"} <= set(typed):
        raise InvalidRequest(
            "Both a server and a data directory are named.",
            hint="Leave out --server or --data-dir.",
        )
    return load(server="" if "data_dir" in typed else server, data_dir=data_dir, **more)
