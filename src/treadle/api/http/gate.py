"""The one choke point: every request passes here before its body is read.

In this order: under which name and from which page, what is asked for, who asks, whether they may,
how much they may send. Only then the operation's handler is called.
"""

import hashlib
import logging

from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from treadle.api.http.exchange import Exchange
from treadle.api.http.operations import Operation
from treadle.api.http.origins import check_host_and_origin
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
        if scope["type"] not in ("http", "websocket"):
            return
        exchange = Exchange(scope=scope, receive=receive, passed_on=send)
        try:
            await self._answer(exchange)
        except TreadleError as error:
            if isinstance(error, InternalError) or exchange.started:
                log.exception("%s %s", exchange.method, exchange.path)
            await _refuse(exchange, error)
        except (ClientDisconnect, WebSocketDisconnect):
            log.debug("%s %s: the caller went away", exchange.method, exchange.path)
        except Exception as error:
            log.exception("%s %s", exchange.method, exchange.path)
            internal = InternalError(f"{type(error).__name__}: {error}", hint="Please report.")
            await _refuse(exchange, internal)

    async def _answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        if not exchange.trusted:
            check_host_and_origin(scope, self.house)
        operation, scope["path_params"] = self._routing.find(exchange.method, exchange.path)
        exchange.operation = operation
        exchange.principal = principal = self._principal(scope)
        _check_scope(principal, operation)
        exchange.state.update(house=self.house, operation=operation, principal=principal)
        receive = exchange.receive if operation.streams else self._limited(exchange)
        if operation.creates:
            receive = await self._keyed(exchange, principal, receive)
        with self.house.traffic.request(exchange.method):
            await _handled(operation, scope, receive, exchange.send)

    def _principal(self, scope: Scope) -> Principal:
        """Who asks. Raises Unauthorized."""
        if scope.get("state", {}).get("trusted"):
            return THE_OWNER
        raise Unauthorized("This needs a token.", hint="Send it as `Authorization: Bearer TOKEN`.")

    async def _keyed(self, exchange: Exchange, principal: Principal, receive: Receive) -> Receive:
        """Read the body to know what the request's idempotency key stands for; receive again."""
        request, state = Request(exchange.scope, receive), exchange.state
        key = request.headers.get("idempotency-key", "")
        if not key:
            state["requester"] = Requester(user=principal.user)
            return receive
        if len(key) > LONGEST_KEY or not key.isprintable():
            raise InvalidRequest(f"Idempotency-Key: at most {LONGEST_KEY} printable characters.")
        body = await request.body()
        asked = f"{exchange.method} {exchange.path}\n".encode() + body
        fingerprint = hashlib.blake2b(asked, digest_size=16).hexdigest()
        state["requester"] = Requester(user=principal.user, key=key, fingerprint=fingerprint)
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        return again

    def _limited(self, exchange: Exchange) -> Receive:
        """receive, which raises TooLarge once the body exceeds the limit."""
        limit, receive = self.house.request_limit, exchange.receive
        announced = HTTPConnection(exchange.scope).headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            raise self._too_large()
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if seen > limit:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"The body is larger than {self.house.request_limit} bytes.",
            hint="Put large values as blobs, or raise `request_limit`.",
        )


async def _handled(operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
    if operation.method == "WEBSOCKET":
        await operation.handler(WebSocket(scope, receive, send))
        return
    response = await operation.handler(Request(scope, receive, send))
    await response(scope, receive, send)


async def _refuse(exchange: Exchange, error: TreadleError) -> None:
    """Answer with the error, unless an answer has begun."""
    if not exchange.started:
        await problem(error)(exchange.scope, exchange.receive, exchange.send)


def _check_scope(principal: Principal, operation: Operation) -> None:
    """Raises Forbidden."""
    if operation.scope is None or principal.may(operation.scope):
        return
    raise Forbidden(
        f"The token {principal.token!r} may not do this: it needs the scope {operation.scope!r}.",
        hint="`treadle token create NAME --scope ...` makes one that may.",
    )
