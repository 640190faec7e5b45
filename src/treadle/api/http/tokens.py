"""Tokens: who may ask. Their texts are shown once; only hashes are kept."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.access import Access
from treadle.api.http.asked import json_body, query
from treadle.api.http.encode import encode, json_response, shallow
from treadle.api.http.operations import PREFIX
from treadle.api.http.state import House, house_of, requester_of, scheduler_of
from treadle.errors import Conflict, InvalidRequest, NotFound
from treadle.interfaces import Books
from treadle.model.access import Requester, Token, checked_scopes
from treadle.model.credentials import OWNERS_TOKEN, hash_of, new_secret, new_token_id, text_of
from treadle.model.graph import nearest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
LONGEST_LIFE = timedelta(days=36_500)
NEVER_STORED = {"cache-control": "no-store"}


async def post_token(request: Request) -> Response:
    """Make a token: its `text` is in this answer and nowhere else.

    With an Idempotency-Key that made one before, it is refused (409): its text is gone.
    """
    house, by = house_of(request), requester_of(request)
    scheduler_of(request)
    fields = ("name", "scopes", "user", "expires_in_seconds", "expires_at")
    token = _token(await json_body(request, fields), house.clock.now())
    secret = new_secret()
    await house.ledger.write(lambda books: _add(books, token, hash_of(secret), by))
    headers = NEVER_STORED | {"location": f"{PREFIX}/tokens/{token.id}"}
    body = encode(shallow(token) | {"text": text_of(token.id, secret)})
    return Response(body, 201, headers, media_type="application/json")


async def list_tokens(request: Request) -> Response:
    """All tokens, oldest first, expired and revoked ones too; without their texts."""
    query(request)
    return json_response({"tokens": house_of(request).ledger.read(lambda books: books.tokens())})


async def delete_token(request: Request) -> Response:
    """Revoke a token, by its name or id: from now on nobody may ask with it."""
    query(request)
    scheduler_of(request)
    house, access = house_of(request), request.scope["state"]["access"]
    await _revoke(house, access, request.path_params["name"])
    return Response(status_code=204)


async def _revoke(house: House, access: Access, name: str) -> None:
    at = house.clock.now()

    def revoke(books: Books) -> str:
        token = _found(books.tokens(), name)
        books.revoke_token(token.id, at)
        return token.id

    access.forget(await house.ledger.write(revoke))


def _found(tokens: list[Token], name: str) -> Token:
    """By id, or by the name of one that holds. Raises NotFound, Conflict."""
    if name == OWNERS_TOKEN:
        raise Conflict(
            "The owner's token is a file, and cannot be revoked.",
            hint="Delete owner.token in the data directory and start the server again.",
        )
    names = {token.name: token for token in tokens if token.revoked_at is None}
    by_id = {token.id: token for token in tokens}
    if found := by_id.get(name) or names.get(name):
        return found
    hint = nearest(name, names) or "`treadle token list` shows them."
    raise NotFound(f"There is no token {name[:80]!r}.", hint=hint)


def _add(books: Books, token: Token, hash: bytes, by: Requester) -> None:
    if books.claimed(by) is not None:
        raise Conflict(
            "This Idempotency-Key has made a token already, whose text was shown once.",
            hint="If it was lost, revoke the token and make another with a new key.",
        )
    books.add_token(token, hash)
    books.claim(by, token.id, token.created_at)


def _token(body: Mapping[str, Any], now: datetime) -> Token:
    name = _name(body.get("name"), "name")
    if name == OWNERS_TOKEN or name.startswith("tok_"):
        raise InvalidRequest(f"A token cannot be named {name!r}.", hint="Take another name.")
    scopes = body.get("scopes", [])
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        raise InvalidRequest("scopes: expected a list of texts.")
    return Token(
        id=new_token_id(),
        name=name,
        user=_name(body.get("user", name), "user"),
        scopes=checked_scopes(scopes),
        created_at=now,
        expires_at=_expiry(body, now),
    )


def _name(given: Any, field: str) -> str:
    if isinstance(given, str) and NAME.fullmatch(given):
        return given
    raise InvalidRequest(
        f"{field}: expected 1 to 64 letters, digits and ._@+-, the first a letter or digit."
    )


def _expiry(body: Mapping[str, Any], now: datetime) -> datetime | None:
    at, seconds = body.get("expires_at"), body.get("expires_in_seconds")
    if at is not None and seconds is not None:
        raise InvalidRequest("Give expires_at or expires_in_seconds, not both.")
    if seconds is not None:
        return now + _span(seconds)
    if at is None:
        return None
    found = _time(at)
    if not now < found <= now + LONGEST_LIFE:
        raise InvalidRequest(f"expires_at: {at} is not in the future, or too far in it.")
    return found


def _span(seconds: Any) -> timedelta:
    longest = LONGEST_LIFE.total_seconds()
    if type(seconds) in (int, float) and 0 < seconds <= longest:
        return timedelta(seconds=seconds)
    raise InvalidRequest(f"expires_in_seconds: expected a number above 0, up to {longest:.0f}.")


def _time(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise InvalidRequest("expires_at: expected an ISO 8601 time.") from None
