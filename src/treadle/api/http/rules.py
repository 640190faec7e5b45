"""What each route may be used for: one word of a token's scope per route, in one table.

The gate looks here before any body is read; a route without an entry is closed. Over the owner's
Unix socket everything is allowed: whoever may open it owns the data directory.
"""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["read", "run", "data", "admin"]
PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """scope: what a caller must hold. streams: the body is no JSON and has no size limit."""

    scope: Scope
    streams: bool = False


READ, RUN, DATA, ADMIN = (
    Rule(scope="read"),
    Rule(scope="run"),
    Rule(scope="data"),
    Rule(scope="admin"),
)

RULES: dict[tuple[str, str], Rule] = {
    ("GET", f"{PREFIX}/health"): READ,
    ("PUT", f"{PREFIX}/blobs/{{digest}}"): Rule(scope="data", streams=True),
    ("GET", f"{PREFIX}/blobs/{{digest}}"): READ,
    ("POST", f"{PREFIX}/blobs"): Rule(scope="data", streams=True),
    ("POST", f"{PREFIX}/blobs/missing"): DATA,
    ("POST", f"{PREFIX}/snapshots"): DATA,
    ("POST", f"{PREFIX}/snapshots/{{digest}}"): DATA,
    ("POST", f"{PREFIX}/calls"): RUN,
    ("GET", f"{PREFIX}/jobs/{{id}}"): READ,
    ("GET", f"{PREFIX}/jobs/{{id}}/log"): READ,
    ("GET", f"{PREFIX}/jobs/{{id}}/outputs/{{name}}"): READ,
    ("POST", f"{PREFIX}/runs"): RUN,
    ("GET", f"{PREFIX}/runs"): READ,
    ("GET", f"{PREFIX}/runs/{{id}}"): READ,
    ("DELETE", f"{PREFIX}/runs/{{id}}"): RUN,
    ("POST", f"{PREFIX}/runs/{{id}}/abort"): RUN,
    ("POST", f"{PREFIX}/runs/{{id}}/retry"): RUN,
    ("GET", f"{PREFIX}/runs/{{id}}/events"): READ,
    ("GET", f"{PREFIX}/runs/{{id}}/metrics"): READ,
    ("GET", f"{PREFIX}/groups"): READ,
    ("GET", f"{PREFIX}/groups/{{name:path}}"): READ,
    ("POST", f"{PREFIX}/gc"): ADMIN,
}


def rule_of(method: str, path: str) -> Rule | None:
    """The rule of a route by its path template; HEAD goes as GET."""
    return RULES.get(("GET" if method == "HEAD" else method, path))
