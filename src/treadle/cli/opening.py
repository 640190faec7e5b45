"""Opens the door that a command asks through: to a server, or to a data directory.

The client, and all that it loads, is imported when a door is opened: help and version stay fast.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from treadle.cli.door import Door
from treadle.errors import Unauthorized, Unavailable
from treadle.server.settings import Settings

if TYPE_CHECKING:
    from treadle.client import Client
    from treadle.server.embedded import Embedded


@contextlib.contextmanager
def opened(settings: Settings, *, start: bool) -> Iterator[Door]:
    """A door to the server that the settings name; where they name none, to the data directory.

    There it leads to the owner; where there is none, it only reads, or, with start, this process
    becomes the owner. Closing it hands back what is not done.
    """
    client = _to_server(settings.server) if settings.server else _to_data_dir(settings, start=start)
    local = None if settings.server else cast("Embedded", client.link)
    try:
        yield Door(client, local, settings.server)
    finally:
        client.close()


def _to_server(url: str) -> "Client":
    from treadle.server.connecting import connect  # noqa: PLC0415 - as below

    try:
        return connect(url)
    except Unauthorized as error:
        error.hint = (
            f"`treadle login {url}` keeps a token, TREADLE_TOKEN gives one; who runs the server "
            "makes it."
        )
        raise


def _to_data_dir(settings: Settings, *, start: bool) -> "Client":
    from treadle.server.embedded import connect  # noqa: PLC0415 - 0.2 s; help needs none of it

    if settings.data_dir.exists() and not settings.data_dir.is_dir():
        raise Unavailable(
            f"The data directory {settings.data_dir} is not a folder.",
            hint="Give another one with --data-dir, TREADLE_DATA_DIR or treadle.toml.",
        )
    return connect(settings, start=start, read=not start)
