"""What one look found."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "broken", "absent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the examination. hint: the next step, where there is one to take."""

    what: str
    status: Status
    says: str
    hint: str = ""


def good(what: str, says: str, hint: str = "") -> Finding:
    return Finding(what=what, status="ok", says=says, hint=hint)


def doubtful(what: str, says: str, hint: str) -> Finding:
    return Finding(what=what, status="warning", says=says, hint=hint)


def broken(what: str, says: str, hint: str) -> Finding:
    return Finding(what=what, status="broken", says=says, hint=hint)


def absent(what: str, says: str, hint: str) -> Finding:
    return Finding(what=what, status="absent", says=says, hint=hint)
