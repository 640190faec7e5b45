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

    What is typed counts before the environment, that before `treadle.toml`, and of the two the
    server before the data directory. server, data_dir: of the command line or the environment;
    typed: the names of those of the command line.

    Raises InvalidRequest where both are typed.
    """
    if {"server", "data_dir"} <= set(typed):
        raise InvalidRequest(
            "Both a server and a data directory are named.",
            hint="Leave out --server or --data-dir.",
        )
    is_local = "data_dir" in typed or (server is None and data_dir is not None)
    return load(server="" if is_local else server, data_dir=data_dir, **more)
