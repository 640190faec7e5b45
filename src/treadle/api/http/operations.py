"""What an operation of the API is: a route, who may use it, what it takes and what it answers.

`routes.OPERATIONS` is the one table of them. The gate, the routes, the OpenAPI document and the
reference are all made from it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from treadle.model.access import Need

PREFIX = "/api/v1"
PAGE, LARGEST_PAGE = 50, 1000  #: entries of a list in one answer
Handler = Callable[[Request], Awaitable[Response]]
Kind = Literal["text", "whole", "number", "switch", "time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query parameter. kind: whole and number are from 0; time is ISO 8601.

    default: of one that is not given. most: a larger whole or number counts as this. several: it
    may be given several times; its value is a tuple. Where there are choices, commas do as well.
    """

    name: str
    text: str
    kind: Kind = "text"
    default: Any = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    several: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route.

    scope: what who asks must hold; None is open to everybody. body, answer: types of the JSON
    documents, or a media type, or several; None is no body. needs_body: it may not be left out.
    ranges: the answer is bytes, of which a range may be asked for. streams: the body is read as it
    comes, and has no size limit. creates: takes an Idempotency-Key. asks_only: a POST that changes
    nothing, so the audit log need not tell. headers: of the answer, with what they are. also:
    answers of other statuses that are no errors.
    """

    method: Literal["GET", "POST", "PUT", "DELETE", "WEBSOCKET"]
    path: str  #: with the prefix
    handler: Any
    scope: Need | None
    tag: str
    query: tuple[Query, ...] = ()
    body: Any = None
    answer: Any = None
    needs_body: bool = True
    ranges: bool = False
    status: int = 200
    streams: bool = False
    creates: bool = False
    asks_only: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[int, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The operationId: the handler's name."""
        name: str = self.handler.__name__
        return name

    @property
    def is_of_a_job(self) -> bool:
        """Whose job it is counts, too: see `rights`."""
        return self.path.startswith(f"{PREFIX}/jobs/{{id}}")

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "WEBSOCKET") and not self.asks_only
