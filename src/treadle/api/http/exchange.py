"""One request and what became of it, as the gate sees it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from treadle.api.http.operations import Operation
from treadle.model.access import Token

_STARTS = ("http.response.start", "websocket.http.response.start")


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What is found out on the way. status: 0 until the answer begins."""

    scope: Scope
    came_from: Receive
    passed_on: Send
    on_answer: Callable[["Exchange"], None] = lambda _: None  #: right before the answer begins
    operation: Operation | None = None
    token: Token | None = None  #: that it was asked with, also one that does not hold any more
    admitted: bool = False  #: it passed the gate, and was carried out as far as it could be
    status: int = 0
    location: str = ""
    began_at: float = field(default_factory=time.perf_counter)
    answered_at: float = 0.0  #: when the answer began
    bytes_in: int = 0  #: of the body
    bytes_out: int = 0  #: of the answer's body

    @property
    def method(self) -> str:
        """WEBSOCKET for one."""
        return "WEBSOCKET" if self.scope["type"] == "websocket" else str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def address(self) -> str:
        """Of whoever asks; "" on the owner's socket."""
        client = self.scope.get("client")
        return "" if self.trusted or not client else str(client[0])

    @property
    def trusted(self) -> bool:
        """Whether the door is one that only the owner can open."""
        return bool(self.state.get("trusted"))

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.scope.setdefault("state", {})
        return found

    @property
    def started(self) -> bool:
        return self.status != 0

    async def receive(self) -> Message:
        """What comes next, counted."""
        message = await self.came_from()
        self.bytes_in += len(message.get("body") or b"")
        return message

    async def send(self, message: Message) -> None:
        """Pass it on, and remember how the answer begins."""
        if message["type"] in _STARTS:
            self.status, self.answered_at = message["status"], time.perf_counter()
            self.location = _location(message)
            self.on_answer(self)
        elif message["type"] == "websocket.accept":
            self.status, self.answered_at = 101, time.perf_counter()
        else:
            self.bytes_out += len(message.get("body") or message.get("text") or b"")
        await self.passed_on(message)


def _location(message: Message) -> str:
    found = [value for name, value in message.get("headers", ()) if name == b"location"]
    return found[0].decode("latin-1") if found else ""
