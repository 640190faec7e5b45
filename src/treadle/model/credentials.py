"""The texts of tokens: `trd_<id>_<secret>`, and what is kept of them.

A secret is 32 random bytes. Nobody guesses it, so one round of a plain hash keeps it as well as
a slow one would, which every request had to pay.
"""

import hashlib
import secrets
from dataclasses import dataclass

from treadle.model.ids import new_id

MARK = "trd"
OWNERS_TOKEN = "owner"  #: id and name of the token in the owner's file
LONGEST = 200  #: characters of a token's text


@dataclass(frozen=True, slots=True)
class Given:
    """A token's text taken apart, with the hash of its secret."""

    id: str
    hash: bytes


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def new_token_id() -> str:
    """In the text it stands without its kind, which holds the sign that parts the text."""
    return new_id("tok")


def text_of(token_id: str, secret: str) -> str:
    """The text that is shown once."""
    return f"{MARK}_{token_id.removeprefix('tok_')}_{secret}"


def hash_of(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode(), digest_size=32, person=b"treadle-token").digest()


def taken_apart(text: str) -> Given | None:
    """None for what is no token at all."""
    mark, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    if mark != MARK or not (token_id and secret) or not text.isascii() or len(text) > LONGEST:
        return None
    whole = token_id if token_id == OWNERS_TOKEN else f"tok_{token_id}"
    return Given(whole, hash_of(secret))


def owners(text: str) -> Given | None:
    """What the owner's token is known by; None for a house that has none."""
    found = taken_apart(text)
    return found if found and found.id == OWNERS_TOKEN else None
