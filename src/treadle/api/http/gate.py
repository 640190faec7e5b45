"""The one choke point: every request passes here before its body is read."""

import logging

from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from treadle.api.http.problems import problem
from treadle.api.http.rules import Rule, rule_of
from treadle.api.http.state import House
from treadle.errors import InternalError, NotFound, TooLarge, TreadleError

log = logging.getLogger("treadle.api")


class Gate:
    """Finds the rule of the route asked for, limits the body, and turns errors into problems."""

    def __init__(self, app: ASGIApp, routes: list[BaseRoute], house: House) -> None:
        self.app, self.routes, self.house = app, routes, house
        self.request_limit = house.request_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            rule = self._rule(scope)
            limited = receive if rule.streams else self._limited(scope, receive)
            with self.house.traffic.request(scope["method"]):
                await self.app(scope, limited, watched_send)
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

    def _rule(self, scope: Scope) -> Rule:
        """The rule of the route.

        Raises NotFound for an unknown path, InternalError for a route that has no rule.
        """
        method, path = scope["method"], scope["path"]
        for route in self.routes:
            if route.matches(scope)[0] is Match.FULL and isinstance(route, Route):
                rule = rule_of(method, route.path)
                if rule is None:
                    raise InternalError(f"{method} {route.path} has no rule, so it is closed.")
                return rule
        raise NotFound(f"There is no {method} {path}.", hint="GET /api/v1/health always answers.")

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """receive, which raises TooLarge once the body exceeds the limit."""
        announced = Request(scope).headers.get("content-length", "0")
        seen = int(announced) if announced.isdecimal() else 0
        if seen > self.request_limit:
            raise self._too_large()
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.request_limit:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"The body is larger than {self.request_limit} bytes.",
            hint="Put large values as blobs, or raise `request_limit`.",
        )
