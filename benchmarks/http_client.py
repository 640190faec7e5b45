"""A bare HTTP/1.1 client over one kept connection, so that what is measured is the server.

A one-step run over it: `httpx` would cost as much again as the server does.
"""

import asyncio
import json
from typing import Any, Self
from urllib.parse import urlsplit


class Connection:
    """One connection, one request at a time. Used as an asynchronous context manager."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._headers = f"host: {parts.netloc}\r\nauthorization: Bearer {token}\r\n"

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        """The JSON answer. Raises ConnectionError for any status but 200 and 201."""
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}content-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        status, length = 0, 0
        for line in (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n"):
            name, _, value = line.partition(b": ")
            if line.startswith(b"HTTP/"):
                status = int(line.split()[1])
            elif name.lower() == b"content-length":
                length = int(value)
        answer = json.loads(await self._reader.readexactly(length))
        if status not in (200, 201):
            raise ConnectionError(f"{method} {path}: {status} {answer}")
        return answer  # type: ignore[no-any-return]
