"""Finding a server: by its address, or the one that has the data directory."""

from pathlib import Path
from typing import Any

from treadle.client import Client
from treadle.client.asynchronous import AsyncClient as _AsyncClient
from treadle.client.link import Link, blocking
from treadle.client.remote import RemoteLink
from treadle.errors import Unavailable
from treadle.server.known_tokens import known_token
from treadle.server.link import Embedded
from treadle.server.ownership import answering
from treadle.server.settings import Settings, load


def connect(url: str | None = None, token: str | None = None, **options: Any) -> Client:
    """A client of a server that is there already, which is asked whether it is.

    url: default the setting `server` (TREADLE_SERVER), else whoever serves the data directory.
    token: default TREADLE_TOKEN, else what `treadle login` remembered, else the owner's, if it is
    a server of our own data directory. options: ca_certificate, patience_seconds.

    Raises Unavailable, with the next step, and Unauthorized.
    """
    client = Client(link_to(url, token, **options))
    try:
        client.health()
    except BaseException:
        client.close()
        raise
    return client


class AsyncClient(_AsyncClient):
    """The client for asyncio: what `treadle.Client` returns, is awaited here.

    Arguments as for `treadle.connect`; nothing is asked before the first `await`.
    """

    def __init__(self, url: str | None = None, token: str | None = None, **options: Any) -> None:
        super().__init__(link_to(url, token, **options))


def link_to(url: str | None, token: str | None, **options: Any) -> Link:
    """The link that the arguments or the settings name. Raises Unavailable where there is none."""
    settings = load()
    if url := url or settings.server:
        return remote_link(settings, url, token, **options)
    if socket := answering(settings.data_dir):
        return joined(settings, socket)
    raise Unavailable(
        f"No server is running on the data directory {settings.data_dir}.",
        hint="Start one with `treadle up`, name one with url= or TREADLE_SERVER, or run things in "
        "this process with treadle.local().",
    )


def remote_link(
    settings: Settings, url: str, token: str | None = None, **options: Any
) -> RemoteLink:
    """Over TCP. Our own server's token is found in its data directory."""
    return RemoteLink(url, token or known_token(settings.data_dir, url), **options)


def joined(settings: Settings, socket: Path) -> Embedded:
    """Over the owner's Unix socket."""
    link = Embedded(settings)
    try:
        blocking(link.portal, link.join, socket)
    except BaseException:
        link.close()
        raise
    return link
