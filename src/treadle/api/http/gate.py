"""The one choke point: every request passes here before its body is read.

In this order: under which name and from which page, what is asked for, who asks, whether they may,
how much they may send. Only then the operation's handler is called.
"""

import hashlib
import logging

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from treadle.api.http.access import HINT, Access
from treadle.api.http.bodies import Bodies
from treadle.api.http.exchange import Exchange
from treadle.api.http.operations import Operation
from treadle.api.http.parameters import WAIT
from treadle.api.http.problems import problem
from treadle.api.http.rights import check_scope
from treadle.api.http.routes import OPERATIONS
from treadle.api.http.routing import Routing
from treadle.api.http.state import House
from treadle.errors import InternalError, InvalidRequest, TreadleError, Unauthorized
from treadle.model.access import Principal, Requester

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
        self._access = Access(house)
        self._bodies = Bodies(house.request_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return
        exchange = Exchange(
            scope=scope, came_from=receive, passed_on=send, on_answer=self._write_down
        )
        try:
            await self._answer(exchange)
        except TreadleError as error:
            if isinstance(error, InternalError) or exchange.started:
                log.exception("%s %s", exchange.method, exchange.path)
            await _refuse(exchange, self._access.counted(exchange, error))
        except (ClientDisconnect, WebSocketDisconnect):
            log.debug("%s %s: the caller went away", exchange.method, exchange.path)
        except Exception as error:
            log.exception("%s %s", exchange.method, exchange.path)
            internal = InternalError(f"{type(error).__name__}: {error}", hint="Please report.")
            await _refuse(exchange, internal)
        finally:
            self.house.meter.tell(exchange)
            if not exchange.started:
                self._write_down(exchange)
        if exchange.admitted:
            await self._access.note_use(exchange.token)

    def _write_down(self, exchange: Exchange) -> None:
        """In the audit log, before whoever asks knows how it went."""
        if self.house.audit is not None:
            self.house.audit.tell(exchange, self.house.clock.now())

    async def _answer(self, exchange: Exchange) -> None:
        scope, house = exchange.scope, self.house
        self._access.check_door(exchange)
        operation, scope["path_params"] = self._routing.find(exchange.method, exchange.path)
        exchange.operation = operation
        principal = self._access.admit(exchange)
        check_scope(principal, operation, scope, house)
        exchange.admitted = True
        exchange.state.update(
            house=house, operation=operation, principal=principal, access=self._access
        )
        token_id = exchange.token.id if exchange.token else ""
        seconds = self._access.seconds_left(exchange.token)
        with (
            house.traffic.request(exchange.method, token_id, seconds),
            self._bodies.reading(exchange, streams=operation.streams) as receive,
        ):
            if operation.creates:
                house.life.check_takes_work()
                receive = await _keyed(exchange, principal, receive)
            await _handled(operation, scope, receive, exchange.send)
        if not exchange.started:  # it was cut off
            house.life.check_takes_work()
            raise Unauthorized("The token does not hold any more.", hint=HINT)


async def _keyed(exchange: Exchange, principal: Principal, receive: Receive) -> Receive:
    """Read the body to know what the request's idempotency key stands for; receive again."""
    request, state = Request(exchange.scope, receive), exchange.state
    key = request.headers.get("idempotency-key", "")
    if not key:
        state["requester"] = Requester(user=principal.user)
        return receive
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidRequest(f"Idempotency-Key: at most {LONGEST_KEY} printable characters.")
    body = await request.body()
    asked = f"{exchange.method} {exchange.path}{_options(request)}\n".encode() + body
    fingerprint = hashlib.blake2b(asked, digest_size=16).hexdigest()
    state["requester"] = Requester(user=principal.user, key=key, fingerprint=fingerprint)
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _options(request: Request) -> str:
    """What else stands for the request: all of its query but how long to wait for the answer."""
    kept = sorted(each for each in request.query_params.multi_items() if each[0] != WAIT.name)
    return repr(kept) if kept else ""


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
