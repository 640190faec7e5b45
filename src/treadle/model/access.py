"""Who may do what: scopes, tokens, and who asks.

A scope is a word: `read`, `data`, `run`, `admin`, each of which includes those before it, or
`call:<tool>`, where the tool's name may end in `*`. Who holds no more than the latter may call
these tools, as the ledger knows them, and see the jobs that came of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from treadle.errors import InvalidRequest
from treadle.model.graph import nearest
from treadle.model.records import OWNER

Scope = Literal["read", "data", "run", "admin"]
Need = Scope | Literal["call"]  #: of an operation; call: `run`, or `call:` of some tool
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

    @property
    def callable_tools(self) -> tuple[str, ...]:
        """Names, or beginnings of names with a `*`, of the `call:` scopes."""
        return tuple(s.removeprefix(CALL) for s in self.scopes if s.startswith(CALL))

    def may(self, scope: str) -> bool:
        """Whether a scope, or one that includes it, is held. "call": that of any tool."""
        if scope == "call":
            return self.may("run") or bool(self.callable_tools)
        if scope.startswith(CALL):
            name = scope.removeprefix(CALL)
            return self.may("run") or any(_fits(name, each) for each in self.callable_tools)
        held = {s for s in SCOPES if s in self.scopes}
        return any(SCOPES.index(s) >= SCOPES.index(scope) for s in held)


THE_OWNER = Principal(user=OWNER, scopes=frozenset({"admin"}))
NOBODY = Principal(user="", scopes=frozenset())


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
