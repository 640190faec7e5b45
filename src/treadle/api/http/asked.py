"""What a request asked for: query parameters, JSON bodies, ids by prefix. Checked here, once."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import HTTPConnection, Request

from treadle.api.http.operations import Query
from treadle.api.http.state import house_of, operation_of
from treadle.errors import InvalidRequest, NotFound
from treadle.model.graph import nearest
from treadle.model.limits import MOST_NESTED, check_nesting

LATEST = "latest"
NO_HINTS: Mapping[str, str] = {}
VALUES = frozenset(
    {"arguments", "document", "parameters", "parameters_schema"}
)  #: fields of any JSON
ID_LENGTH = 18  #: what follows the kind and "_" in a whole id


def query(request: HTTPConnection) -> dict[str, Any]:
    """The query parameters that the operation has, each read by its kind.

    Raises InvalidRequest for one that it does not have, or that makes no sense.
    """
    declared = {each.name: each for each in operation_of(request).query}
    given: dict[str, list[str]] = {}
    for name, text in request.query_params.multi_items():
        if name not in declared:
            raise InvalidRequest(
                f"{request.url.path} has no parameter {name[:80]!r}.", hint=nearest(name, declared)
            )
        if "\0" in text:
            raise InvalidRequest(f"{name}: there is a NUL in it.")
        given.setdefault(name, []).append(text)
    return {name: _value(each, given.get(name, [])) for name, each in declared.items()}


def _value(each: Query, texts: list[str]) -> Any:
    if each.several:
        parts = [part for text in texts for part in (text.split(",") if each.choices else [text])]
        return tuple(dict.fromkeys(_read(each, part) for part in parts if part))
    if len(texts) > 1:
        raise InvalidRequest(f"{each.name} is given {len(texts)} times.", hint="Give it once.")
    return _read(each, texts[0] if texts else "")


def _read(each: Query, text: str) -> Any:
    if not text:
        return each.default
    try:
        value = _READ[each.kind](text)
    except ValueError as error:
        raise InvalidRequest(f"{each.name}={text[:80]!r}: expected {error}.") from None
    if each.choices and value not in each.choices:
        hint = nearest(text[:80], each.choices) or f"One of {', '.join(each.choices)}."
        raise InvalidRequest(f"There is no {each.name} {text[:80]!r}.", hint=hint)
    return value if each.most is None else min(value, type(value)(each.most))


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 19:
        raise ValueError("a whole number from 0")
    return min(int(text), 2**62)


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ValueError("a number from 0")
    return found


def _switch(text: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false"):
        raise ValueError("true or false")
    return text.lower() in ("1", "true")


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that nobody escaped
    except ValueError:
        raise ValueError("an ISO 8601 time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_READ: dict[str, Callable[[str], Any]] = {
    "text": str,
    "whole": _whole,
    "number": _number,
    "switch": _switch,
    "time": _time,
}


async def json_body(
    request: Request, allowed: Collection[str], hints: Mapping[str, str] = NO_HINTS
) -> dict[str, Any]:
    """The body as a JSON object with no other keys than these; an absent body is {}.

    hints: for keys that are often sent by mistake; under "" for what is no JSON at all.
    """
    raw = await request.body()
    try:
        body = msgspec.json.decode(raw) if raw else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(
            f"The body is not valid JSON: {error}.", hint=hints.get("", "")
        ) from None
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
    for key in body:
        if key not in allowed:
            hint = hints.get(key) or nearest(key, allowed)
            raise InvalidRequest(f"Unknown field {key[:80]!r}.", hint=hint)
    if raw.count(b"[") + raw.count(b"{") > MOST_NESTED:
        check_nesting("The body", body)
    if b"\\u0000" in raw:
        _refuse_nul(body, "the body")
    return body


def _refuse_nul(value: Any, where: str) -> None:
    """No name or path may hold a NUL; values of parameters may hold all that JSON does."""
    if isinstance(value, str) and "\0" in value:
        raise InvalidRequest(f"{where}: there is a NUL in it.")
    if isinstance(value, list):
        for each in value:
            _refuse_nul(each, where)
    elif isinstance(value, dict):
        for key, each in value.items():
            _refuse_nul(key, f"a name in {where}")
            if key not in VALUES:
                _refuse_nul(each, key)


def whole_id(request: HTTPConnection, kind: str) -> str:
    """The id in the path: whole, or a prefix that only one run or job has; "latest" for a run.

    Raises NotFound, or InvalidRequest for an ambiguous prefix.
    """
    return id_of(request, request.path_params["id"], kind)


def id_of(request: HTTPConnection, asked: str, kind: str) -> str:
    """The same for an id from elsewhere."""
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
