"""Who may do what: scopes, tokens, and who asks.

A scope is a word: `read`, `data`, `run`, `admin`, each of which includes those before it, or
`call:<tool>`, where the tool's name may end in `*`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from treadle.errors import InvalidRequest
from treadle.model.graph import nearest
from treadle.model.records import OWNER

Scope = Literal["read", "data", "run", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "data", "run", "admin")  #: each includes those before it
CALL = "call:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A named right to ask. Its text is shown once, when it is made; only its hash is kept.

    user: whose runs it begins; several tokens may be one user's.
    """

    id: str
    name: str
    user: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None  #: the last time, to the minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, as the gate found out. token: the name of the token, "" on the owner's socket."""

    user: str
    scopes: frozenset[str]
    token: str = ""

    def may(self, scope: str) -> bool:
        """Whether a scope, or one that includes it, is held."""
        if scope.startswith(CALL):
            name = scope.removeprefix(CALL)
            patterns = [s.removeprefix(CALL) for s in self.scopes if s.startswith(CALL)]
            return self.may("run") or any(_fits(name, pattern) for pattern in patterns)
        held = {s for s in SCOPES if s in self.scopes}
        return any(SCOPES.index(s) >= SCOPES.index(scope) for s in held)


THE_OWNER = Principal(user=OWNER, scopes=frozenset({"admin"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """For whom something is made, and the request's idempotency key with a hash of what it asks."""

    user: str = OWNER
    key: str = ""  #: "" = the request may be carried out again
    fingerprint: str = ""


THE_OWNERS_REQUEST = Requester()


def checked_scopes(given: Iterable[str]) -> tuple[str, ...]:
    """The scopes. Raises InvalidRequest for one that does not exist, or none."""
    scopes = tuple(dict.fromkeys(given))
    if not scopes:
        raise InvalidRequest("A token needs a scope.", hint=f"One of {', '.join(SCOPES)}.")
    for scope in scopes:
        called = scope.removeprefix(CALL)
        if scope in SCOPES or (scope.startswith(CALL) and called and "*" not in called[:-1]):
            continue
        hint = nearest(scope, SCOPES) or f"There are {', '.join(SCOPES)} and call:<tool>."
        raise InvalidRequest(f"There is no scope {scope!r}.", hint=hint)
    return scopes


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
