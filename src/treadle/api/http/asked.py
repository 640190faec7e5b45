"""What a request asked for: query parameters, JSON bodies, ids by prefix. Checked here, once."""

from collections.abc import Collection
from typing import Any

import msgspec
from starlette.requests import Request

from treadle.api.http.state import house_of
from treadle.errors import InvalidRequest, NotFound
from treadle.model.graph import nearest

LONGEST_WAIT_SECONDS = 3600.0
LATEST = "latest"
ID_LENGTH = 18  #: what follows the kind and "_" in a whole id


def query(request: Request, *allowed: str) -> dict[str, str]:
    """The query parameters.

    Raises InvalidRequest for one that the route does not know.
    """
    for name in request.query_params:
        if name not in allowed:
            raise InvalidRequest(
                f"{request.url.path} has no parameter {name!r}.", hint=nearest(name, allowed)
            )
    return dict(request.query_params)


def number(values: dict[str, str], name: str, default: float, *, most: float) -> float:
    """A number from 0 to most."""
    text = values.get(name, "")
    if not text:
        return default
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise InvalidRequest(f"{name}={text!r}: expected a number from 0.")
    return min(found, most)


def whole(values: dict[str, str], name: str, default: int, *, most: int = 2**62) -> int:
    """A whole number from 0 to most."""
    text = values.get(name, "")
    if text and not text.isdecimal():
        raise InvalidRequest(f"{name}={text!r}: expected a whole number from 0.")
    return min(int(text), most) if text else default


def wait_seconds(values: dict[str, str]) -> float:
    return number(values, "wait", 0.0, most=LONGEST_WAIT_SECONDS)


def switch(values: dict[str, str], name: str, *, default: bool) -> bool:
    text = values.get(name, "").lower()
    if text not in ("", "0", "1", "true", "false"):
        raise InvalidRequest(f"{name}={text!r}: expected true or false.")
    return text in ("1", "true") if text else default


async def json_body(request: Request, allowed: Collection[str]) -> dict[str, Any]:
    """The body as a JSON object with no other keys than these; an absent body is {}."""
    raw = await request.body()
    try:
        body = msgspec.json.decode(raw) if raw else {}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from None
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
    for key in body:
        if key not in allowed:
            raise InvalidRequest(f"Unknown field {key!r}.", hint=nearest(key, allowed))
    return body


def whole_id(request: Request, kind: str) -> str:
    """The id in the path: whole, or a prefix that only one run or job has; "latest" for a run.

    Raises NotFound, or InvalidRequest for an ambiguous prefix.
    """
    asked: str = request.path_params["id"]
    ledger = house_of(request).ledger
    if asked == LATEST and kind == "run":
        if found := ledger.read(lambda books: books.latest_run()):
            return found
        raise NotFound("There is no run yet.", hint="`treadle run FILE` makes one.")
    prefix = asked if asked.startswith(f"{kind}_") else f"{kind}_{asked}"
    if len(prefix) == len(kind) + 1 + ID_LENGTH:
        return prefix
    several = ledger.read(lambda books: books.ids_from(prefix, 5))
    if not several:
        raise NotFound(f"There is no {kind} {asked!r}.", hint="`treadle ps` lists the runs.")
    if len(several) > 1:
        raise InvalidRequest(
            f"{asked!r} stands for several: {', '.join(several)}.", hint="Give more of the id."
        )
    return several[0]
