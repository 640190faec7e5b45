"""The app on sockets, by uvicorn's protocol, without its process: no signals, no ticking loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from treadle.api.http.traffic import Traffic
from treadle.server.connection import Connection, Limits, Warden
from treadle.server.doors import Door

KEEP_ALIVE_SECONDS = 300
LARGEST_FRAME_BYTES = 1 << 20  #: of a WebSocket, from a client
LIMITS = Limits()
PATIENCE_SECONDS = 5.0  #: for requests that were cut off


@asynccontextmanager
async def serving(
    app: ASGIApp, doors: Sequence[Door], traffic: Traffic, limits: Limits = LIMITS
) -> AsyncIterator[None]:
    """Serve HTTP and WebSockets at the doors while inside."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="httptools",
        ws="none",  # until the first one comes: connection.py
        ws_max_size=LARGEST_FRAME_BYTES,
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.load()
    wardens = [Warden(limits) for _ in doors]  # strangers do not use up the owner's connections
    servers = [
        await _open(each, config, warden) for each, warden in zip(doors, wardens, strict=True)
    ]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        with anyio.CancelScope(shield=True):
            await _hang_up(wardens, traffic)


async def _open(door: Door, config: uvicorn.Config, warden: Warden) -> asyncio.AbstractServer:
    visitors = {"trusted": True} if door.trusted else {}

    def connected() -> Connection:
        return Connection(config, warden, visitors)

    loop = asyncio.get_running_loop()
    if door.socket.family == socket.AF_UNIX:
        return await loop.create_unix_server(connected, sock=door.socket)
    patience = warden.limits.header_seconds if door.tls else None
    return await loop.create_server(
        connected, sock=door.socket, ssl=door.tls, ssl_handshake_timeout=patience
    )


def trusted(app: ASGIApp) -> ASGIApp:
    """The app, for callers in this very process."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"trusted": True}
        await app(scope, receive, send)

    return call


async def _hang_up(wardens: Sequence[Warden], traffic: Traffic) -> None:
    """Requests that write are answered first; then all connections are cut, so that whoever
    waits for news knows that there will be none from here."""
    await traffic.last_words()
    for warden in wardens:
        warden.close()
        for connection in list(warden.state.connections):
            connection.shutdown()
            if isinstance(connection, Connection):
                connection.transport.abort()
            else:  # a WebSocket, which says so first
                connection.transport.close()
    await asyncio.sleep(0)  # so that the protocols know before their requests end
    traffic.cut_off()
    if tasks := [task for warden in wardens for task in warden.state.tasks]:
        await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
