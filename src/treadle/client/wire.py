"""Requests and answers: the one place that speaks HTTP, and makes errors of problem documents.

Importing this imports httpx, which costs as much as the whole of `import treadle` five times.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from treadle import errors
from treadle.client.backoff import Backoff
from treadle.client.link import Link
from treadle.errors import Unavailable

PREFIX = "/api/v1"
PATIENCE_SECONDS = 60.0  #: for an answer that should come at once
CONNECT_SECONDS = 10.0
Content = bytes | Callable[[], AsyncIterator[bytes]]
TOKEN_HINT = (
    "Give one with token=, TREADLE_TOKEN or `treadle login URL`; who runs the server makes it."
)
WAIT_AND_ASK_AGAIN = (429, 503)  #: with Retry-After: it was not carried out, and may be later
# An answer that passes on through a proxy must come byte for byte: places in it are counted.
_AS_IT_STANDS = {"accept-encoding": "identity"}


class Wire:
    """Speaks to the house at the other end of a link.

    What fails on the way is sent again when the link is restored, until patience is over. That is
    harmless: what would be carried out twice carries a key that the house knows again.
    """

    def __init__(self, link: Link) -> None:
        self.link = link

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON answer. A parameter that is None is left out; `wait` adds to our patience."""
        patience = PATIENCE_SECONDS + float(params.get("wait") or 0.0)
        answer = await self.request("GET", path, params=params, patience_seconds=patience)
        return self._json(answer)

    async def post(self, path: str, body: Any = None, *, creates: bool = False) -> Any:
        """The JSON answer, or None for an empty one. creates: something, and only once."""
        content = b"" if body is None else msgspec.json.encode(body)
        headers = {"idempotency-key": uuid.uuid4().hex} if creates else {}
        answer = await self.request("POST", path, content=content, headers=headers)
        return self._json(answer) if answer.content else None

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        content: Content = b"",
        headers: Mapping[str, str] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> httpx.Response:
        """The whole answer.

        Raises what the problem document says, or Unavailable.
        """
        timeout = httpx.Timeout(patience_seconds, connect=CONNECT_SECONDS)
        backoff, sent_before = self.backoff(), False
        while True:
            http = await self.link.http()
            made = http.build_request(
                method,
                PREFIX + path,
                params=_given(params),
                content=content() if callable(content) else content,
                headers=headers,
                timeout=timeout,
            )
            try:
                answer = await http.send(made)
            except httpx.TransportError as error:
                await self.recover(http, error, backoff)
                sent_before = True
                continue
            if answer.status_code < 300 or (sent_before and _is_gone(method, answer)):
                return answer
            if not await self._waited(answer, backoff):
                raise self.problem(answer)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        backoff: Backoff,
        *,
        headers: Mapping[str, str] | None = None,
        **params: Any,
    ) -> AsyncIterator[httpx.Response]:
        """An open GET, whose body is read as it comes.

        Raises ConnectionResetError when it breaks, once the link is restored: the caller knows
        from where to go on, and renews the backoff with what it gets.
        """
        http = await self.link.http()
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
        given = {**_AS_IT_STANDS, **(headers or {})}
        try:
            async with http.stream(
                "GET", PREFIX + path, params=_given(params), headers=given, timeout=timeout
            ) as answer:
                if answer.status_code >= 300:
                    await answer.aread()
                    if await self._waited(answer, backoff):
                        raise ConnectionResetError
                    raise self.problem(answer)
                yield answer
        except httpx.TransportError as error:
            await self.recover(http, error, backoff)
            raise ConnectionResetError from error

    def backoff(self) -> Backoff:
        return Backoff(self.link.patience_seconds)

    async def recover(
        self, http: httpx.AsyncClient, error: httpx.TransportError, backoff: Backoff
    ) -> None:
        """Restore the link. Raises Unavailable where that is no use."""
        if isinstance(error, httpx.ReadTimeout):
            raise Unavailable(
                f"{self.link.peer} does not answer.", hint=self.link.advice
            ) from error
        await self.link.restore(http, error)
        if not await backoff.pause():
            raise Unavailable(
                f"{self.link.peer} breaks off again and again ({error or type(error).__name__}).",
                hint=self.link.advice,
            ) from error

    async def _waited(self, answer: httpx.Response, backoff: Backoff) -> bool:
        """Whether the server asked to be asked again later, and we waited for that."""
        after = answer.headers.get("retry-after", "")
        if answer.status_code not in WAIT_AND_ASK_AGAIN or not after.isdecimal():
            return False
        if not backoff.begun:
            self.link.on_notice(f"{self.problem(answer).message} Trying again in {after} s.")
        return await backoff.pause(float(after))

    def problem(self, answer: httpx.Response) -> errors.TreadleError:
        """The error that a problem document tells: its code, sentence, hint and details."""
        try:
            document = msgspec.json.decode(answer.content)
            told = errors.from_wire(
                document["code"],
                document["detail"],
                document.get("hint") or "",
                document.get("details"),
            )
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError):
            return self._stranger(answer)
        if isinstance(told, errors.Unauthorized):
            told.hint = TOKEN_HINT  # the server's is for those who write requests themselves
        return told

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            raise self._stranger(answer) from None

    def _stranger(self, answer: httpx.Response) -> Unavailable:
        return Unavailable(
            f"{self.link.peer} is no Treadle server: it answered {answer.status_code} with "
            f"{_beginning(answer)}.",
            hint="Look at the address and its port, and for a proxy on the way.",
        )


def _is_gone(method: str, answer: httpx.Response) -> bool:
    """We sent it before, and that did it."""
    return method == "DELETE" and answer.status_code == 404


def _beginning(answer: httpx.Response) -> str:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    return repr(answer.text[:80]) if answer.content else f"nothing ({kind or 'of no type'})"


def _given(params: Mapping[str, Any] | None) -> dict[str, str]:
    given = {name: value for name, value in (params or {}).items() if value is not None}
    return {
        name: str(value).lower() if value is True or value is False else str(value)
        for name, value in given.items()
    }
