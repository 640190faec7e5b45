"""The one choke point: every request passes here before its body is read.

In this order: which operation is asked for, who asks, whether they may, how much they may send.
Only then its handler is called.
"""

import hashlib
import logging
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send

from treadle.api.http.operations import Operation
from treadle.api.http.problems import problem
from treadle.api.http.routes import OPERATIONS
from treadle.api.http.routing import Routing
from treadle.api.http.state import House
from treadle.errors import (
    Forbidden,
    InternalError,
    InvalidRequest,
    TooLarge,
    TreadleError,
    Unauthorized,
)
from treadle.model.access import THE_OWNER, Principal, Requester

LONGEST_KEY = 200  #: characters of an Idempotency-Key
log = logging.getLogger("treadle.api")


class Gate:
    """The ASGI application over one house: it opens and closes nothing.

    Whoever serves it on a door that only the owner can open sets `trusted` in the state of its
    scopes; all others need a token.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self._routing = Routing(OPERATIONS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._answer(scope, receive, watched_send)
        except TreadleError as error:
            if isinstance(error, InternalError) or started:
                log.exception("%s %s", scope["method"], scope["path"])
            if not started:
                await problem(error)(scope, receive, send)
        except ClientDisconnect:
            log.debug("%s %s: the caller went away", scope["method"], scope["path"])
        except Exception as error:
            log.exception("%s %s", scope["method"], scope["path"])
            if not started:
                internal = InternalError(f"{type(error).__name__}: {error}", hint="Please report.")
                await problem(internal)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation, parameters = self._routing.find(scope["method"], scope["path"])
        principal = self._principal(scope)
        _check_scope(principal, operation)
        request = Request(scope, receive)
        limited = receive if operation.streams else self._limited(request, receive)
        scope["path_params"] = parameters
        state = scope.setdefault("state", {})
        state |= {"house": self.house, "operation": operation, "principal": principal}
        if operation.creates:
            limited = await self._keyed(request, principal, state, limited)
        with self.house.traffic.request(scope["method"]):
            response = await operation.handler(Request(scope, limited, send))
            await response(scope, limited, send)

    def _principal(self, scope: Scope) -> Principal:
        """Who asks. Raises Unauthorized."""
        if scope.get("state", {}).get("trusted"):
            return THE_OWNER
        raise Unauthorized("This needs a token.", hint="Send it as `Authorization: Bearer TOKEN`.")

    async def _keyed(
        self, request: Request, principal: Principal, state: dict[str, Any], receive: Receive
    ) -> Receive:
        """Read the body to know what the request's idempotency key stands for; receive again."""
        key = request.headers.get("idempotency-key", "")
        if not key:
            state["requester"] = Requester(user=principal.user)
            return receive
        if len(key) > LONGEST_KEY or not key.isprintable():
            raise InvalidRequest(f"Idempotency-Key: at most {LONGEST_KEY} printable characters.")
        body = await Request(request.scope, receive).body()
        asked = f"{request.method} {request.url.path}\n".encode() + body
        fingerprint = hashlib.blake2b(asked, digest_size=16).hexdigest()
        state["requester"] = Requester(user=principal.user, key=key, fingerprint=fingerprint)
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        return again

    def _limited(self, request: Request, receive: Receive) -> Receive:
        """receive, which raises TooLarge once the body exceeds the limit."""
        limit = self.house.request_limit
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            raise self._too_large()
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"The body is larger than {self.house.request_limit} bytes.",
            hint="Put large values as blobs, or raise `request_limit`.",
        )


def _check_scope(principal: Principal, operation: Operation) -> None:
    """Raises Forbidden."""
    if operation.scope is None or principal.may(operation.scope):
        return
    raise Forbidden(
        f"The token {principal.token!r} may not do this: it needs the scope {operation.scope!r}.",
        hint="`treadle token create NAME --scope ...` makes one that may.",
    )
