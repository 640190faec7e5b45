"""Who asks: from the token in a request to a principal."""

import hmac
import logging
import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import HTTPConnection
from starlette.types import Scope

from treadle.api.http.exchange import Exchange
from treadle.api.http.failures import Failures
from treadle.api.http.origins import check_host_and_origin
from treadle.api.http.state import House
from treadle.errors import Busy, Forbidden, TreadleError, Unauthorized
from treadle.model.access import NOBODY, THE_OWNER, Principal, Token
from treadle.model.credentials import OWNERS_TOKEN, Given, owners, taken_apart
from treadle.model.records import OWNER

SCHEME = "bearer"
HINT = "Send a token as `Authorization: Bearer TOKEN`; `treadle token create NAME` makes one."
MOST_KNOWN = 1024  #: tokens kept in memory
USED_EVERY = timedelta(minutes=1)  #: how often the ledger is told that a token is in use
NO_HASH = bytes(32)  #: compared with where there is none, so that an unknown id takes as long
log = logging.getLogger("treadle.api")


@dataclass(slots=True)
class _Known:
    """A token that was asked for lately. used_at: as the ledger has it, or soon will."""

    token: Token
    hash: bytes
    used_at: datetime | None


class Access:
    """Tells who asks. Tokens are read from the ledger once, and forgotten when they are revoked.

    That they have not expired is looked at each time, by a clock that never goes back.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._failures = Failures(house.clock)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._owners = _owners_token(house)

    def check_door(self, exchange: Exchange) -> None:
        """Whether this is the server that was meant, and the page one that may ask.

        Raises InvalidRequest, Forbidden.
        """
        if not exchange.trusted:
            check_host_and_origin(exchange.scope, self._house)

    def admit(self, exchange: Exchange) -> Principal:
        """Who asks; the token, also one that does not hold any more, is noted in the exchange.

        Raises Unauthorized.
        """
        if exchange.trusted:
            return THE_OWNER
        if exchange.operation is not None and exchange.operation.scope is None:
            return NOBODY
        return self._principal(exchange)

    def counted(self, exchange: Exchange, error: TreadleError) -> TreadleError:
        """The error to answer with: Busy for who is refused too often.

        Who is known counts by the token, so that a colleague at the same address does not.
        """
        if exchange.trusted or not isinstance(error, (Unauthorized, Forbidden)):
            return error
        known = exchange.token if isinstance(error, Forbidden) else None
        try:
            self._failures.add(known.id if known else exchange.address)
        except Busy as busy:
            return busy
        return error

    def _principal(self, exchange: Exchange) -> Principal:
        given = _given_in(exchange.scope)
        known = self._find(given)
        if not hmac.compare_digest(known.hash if known else NO_HASH, given.hash) or known is None:
            raise Unauthorized("This token is not known here.", hint=HINT)
        exchange.token = token = known.token
        if token.revoked_at is not None or self._is_over(token):
            raise Unauthorized(_why_not(token), hint="Ask who runs the server for a new one.")
        return Principal(user=token.user, scopes=frozenset(token.scopes), token=token.name)

    def _is_over(self, token: Token) -> bool:
        return token.expires_at is not None and token.expires_at <= self._house.clock.now()

    def _find(self, given: Given) -> _Known | None:
        if given.id == OWNERS_TOKEN:
            return self._owners
        if given.id in self._known:
            self._known.move_to_end(given.id)
            return self._known[given.id]
        found = self._house.ledger.read(lambda books: books.find_token(given.id))
        if found is None:
            return None
        token, kept = found
        if hmac.compare_digest(kept, given.hash):  # guesses push no token out
            self._known[given.id] = _Known(token, kept, token.used_at)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return _Known(token, kept, token.used_at)

    def seconds_left(self, token: Token | None) -> float:
        """For how long it holds; inf for ever."""
        if token is None or token.expires_at is None:
            return math.inf
        return (token.expires_at - self._house.clock.now()).total_seconds()

    def forget(self, token_id: str) -> None:
        """The token was revoked in the ledger: what still reads with it is cut off."""
        self._known.pop(token_id, None)
        self._house.traffic.cut_off(token_id)

    async def note_use(self, token: Token | None) -> None:
        """Have the ledger remember that the token was used, once a minute; after the answer.

        What goes wrong there is no trouble of the request's.
        """
        known = self._known.get(token.id) if token else None
        now = self._house.clock.now()
        if known is None or (known.used_at and now - known.used_at < USED_EVERY):
            return
        known.used_at, token_id = now, known.token.id
        try:
            await self._house.ledger.write(lambda books: books.touch_token(token_id, now))
        except TreadleError as error:
            log.debug("cannot note that the token %s was used: %s", token_id, error)


def _owners_token(house: House) -> _Known | None:
    given = owners(house.owner_token)
    if given is None:
        return None
    token = Token(
        id=OWNERS_TOKEN,
        name=OWNERS_TOKEN,
        user=OWNER,
        scopes=("admin",),
        created_at=datetime.fromtimestamp(0, UTC),
    )
    return _Known(token, given.hash, None)


def _given_in(scope: Scope) -> Given:
    """The token in the request's Authorization header. Raises Unauthorized."""
    header = HTTPConnection(scope).headers.getlist("authorization")
    if not header:
        raise Unauthorized("This needs a token.", hint=HINT)
    scheme, _, text = header[0].partition(" ")
    found = taken_apart(text.strip()) if scheme.lower() == SCHEME else None
    if found is None or len(header) > 1:
        raise Unauthorized("What was given is no token: it would begin with trd_.", hint=HINT)
    return found


def _why_not(token: Token) -> str:
    """What the holder of a token that does not hold any more is told."""
    if token.revoked_at is not None:
        return f"The token {token.name!r} was revoked."
    return f"The token {token.name!r} expired at {token.expires_at:%Y-%m-%d %H:%M:%S} UTC."
