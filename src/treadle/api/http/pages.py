"""Pages of lists: `next` of one is `before` of the following one, and stands for a place, not for
an entry: it holds while entries come and go."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from treadle.errors import InvalidRequest

T = TypeVar("T")


def page(
    name: str, found: Sequence[T], limit: int, place: Callable[[T], str], body: Callable[[T], Any]
) -> dict[str, Any]:
    """The answer. found: of one more than `limit` entries asked for. place: an entry's cursor."""
    shown = found[:limit]
    following = place(shown[-1]) if len(found) > limit else None
    return {name: [body(each) for each in shown], "next": following}


def cursor(order: str, *place: str) -> str:
    """Opaque text for a place in a list of that order."""
    return base64.urlsafe_b64encode(msgspec.json.encode([order, *place])).decode().rstrip("=")


def place_of(text: str, order: str, parts: int = 1) -> list[str]:
    """What the cursor was made of.

    Raises InvalidRequest for one of another list, or none.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        read = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=list[str])
    except (binascii.Error, UnicodeError, msgspec.DecodeError):
        read = []
    if len(read) != parts + 1 or "\0" in "".join(read):
        raise InvalidRequest(f"before={text[:80]!r} is no cursor.", hint="Take `next` as it came.")
    if read[0] != order:
        raise InvalidRequest(
            f"before={text[:80]!r} is of another list: {read[0][:80]!r}, not {order!r}.",
            hint="Begin again without `before`.",
        )
    return read[1:]


def number_of(text: str, order: str) -> int:
    """What the cursor was made of, where it is one number."""
    (number,) = place_of(text, order)
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise InvalidRequest(f"before={text[:80]!r} is no cursor.")
    return int(number)
