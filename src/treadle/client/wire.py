"""Requests and answers: the one place that speaks HTTP, and makes errors of problem documents.

Importing this imports httpx, which costs as much as the whole of `import treadle` five times.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from treadle import errors
from treadle.client.link import Link
from treadle.errors import Unavailable

PREFIX = "/api/v1"
PATIENCE_SECONDS = 60.0  #: for an answer that should come at once
CONNECT_SECONDS = 10.0
Content = bytes | Callable[[], AsyncIterator[bytes]]


class Wire:
    """Speaks to the house at the other end of a link.

    A request that cannot have arrived is sent again after the link is restored. One that may have
    arrived is sent again only if doing it twice is harmless.
    """

    def __init__(self, link: Link) -> None:
        self.link = link

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON answer. A parameter that is None is left out; `wait` adds to our patience."""
        patience = PATIENCE_SECONDS + float(params.get("wait") or 0.0)
        answer = await self.request("GET", path, params=params, patience_seconds=patience)
        return msgspec.json.decode(answer.content)

    async def post(self, path: str, body: Any = None, *, repeatable: bool = False) -> Any:
        """The JSON answer, or None for an empty one."""
        content = b"" if body is None else msgspec.json.encode(body)
        answer = await self.request("POST", path, content=content, repeatable=repeatable)
        return msgspec.json.decode(answer.content) if answer.content else None

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        content: Content = b"",
        patience_seconds: float = PATIENCE_SECONDS,
        repeatable: bool = True,
    ) -> httpx.Response:
        """The whole answer.

        Raises what the problem document says, or Unavailable.
        """
        timeout = httpx.Timeout(patience_seconds, connect=CONNECT_SECONDS)
        while True:
            http = await self.link.http()
            body = content() if callable(content) else content
            try:
                answer = await http.request(
                    method, PREFIX + path, params=_given(params), content=body, timeout=timeout
                )
            except httpx.TransportError as error:
                await self.recover(http, error, repeatable=repeatable)
                continue
            if answer.status_code >= 400:
                raise problem(answer.status_code, answer.content)
            return answer

    @asynccontextmanager
    async def stream(self, path: str, **params: Any) -> AsyncIterator[httpx.Response]:
        """An open GET, whose body is read as it comes.

        Raises ConnectionResetError when it breaks, once the link is restored: the caller knows
        from where to go on.
        """
        http = await self.link.http()
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
        try:
            async with http.stream(
                "GET", PREFIX + path, params=_given(params), timeout=timeout
            ) as answer:
                if answer.status_code >= 400:
                    raise problem(answer.status_code, await answer.aread())
                yield answer
        except httpx.TransportError as error:
            await self.recover(http, error, repeatable=True)
            raise ConnectionResetError from error

    async def recover(
        self, http: httpx.AsyncClient, error: httpx.TransportError, *, repeatable: bool
    ) -> None:
        """Restore the link.

        Raises Unavailable where that is no use, or where the request may have been carried out.
        """
        if isinstance(error, httpx.ReadTimeout | httpx.ConnectTimeout):
            raise Unavailable(
                "The owner of this data directory does not answer.",
                hint="Is its process stopped? `treadle doctor` names it.",
            ) from error
        await self.link.restore(http)
        if not repeatable and not isinstance(error, httpx.ConnectError):
            raise Unavailable(
                "The owner of this data directory went away before it answered.",
                hint="`treadle ps` shows whether it had accepted the request.",
            ) from error


def _given(params: dict[str, Any] | None) -> dict[str, str]:
    given = {name: value for name, value in (params or {}).items() if value is not None}
    return {
        name: str(value).lower() if value is True or value is False else str(value)
        for name, value in given.items()
    }


def problem(status: int, body: bytes) -> errors.TreadleError:
    """The error that a problem document tells, with its code and hint."""
    try:
        document = msgspec.json.decode(body)
        return errors.from_wire(document["code"], document["detail"], document.get("hint", ""))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return errors.TreadleError(f"The server answered {status}: {body[:200]!r}.")
