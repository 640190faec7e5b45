"""Statements of the ledger about who may ask, and what was made for which request."""

import sqlite3
from datetime import datetime

from treadle.errors import Conflict, KeyReused
from treadle.model.access import Requester, Token
from treadle.storage.ledger import rows
from treadle.storage.ledger.upkeep import QUERIES


class Access:
    """The part of interfaces.Books that the gate and idempotency keys need."""

    _db: sqlite3.Connection

    def add_token(self, token: Token, hash: bytes) -> None:
        try:
            QUERIES.add_token(self._db, hash=hash, **rows.token_values(token))
        except sqlite3.IntegrityError as error:
            raise Conflict(
                f"There is a token {token.name!r} already.",
                hint="Take another name, or revoke that one first.",
            ) from error

    def tokens(self) -> list[Token]:
        return [rows.token(row) for row in QUERIES.tokens(self._db)]

    def find_token(self, token_id: str) -> tuple[Token, bytes] | None:
        row = QUERIES.find_token(self._db, id=token_id)
        return None if row is None else (rows.token(row), row["hash"])

    def revoke_token(self, token_id: str, at: datetime) -> None:
        QUERIES.revoke_token(self._db, id=token_id, at=at.timestamp())

    def touch_token(self, token_id: str, at: datetime) -> None:
        QUERIES.touch_token(self._db, id=token_id, at=at.timestamp())

    def claimed(self, by: Requester) -> str | None:
        row = QUERIES.claimed(self._db, user=by.user, key=by.key) if by.key else None
        if row is None:
            return None
        if row["fingerprint"] != by.fingerprint:
            raise KeyReused(
                f"The idempotency key {by.key!r} was used for another request.",
                hint="Make a new key for each thing that is to be made.",
            )
        made: str = row["made"]
        return made

    def claim(self, by: Requester, made: str, at: datetime) -> None:
        if by.key:
            QUERIES.claim(
                self._db,
                user=by.user,
                key=by.key,
                fingerprint=by.fingerprint,
                made=made,
                at=at.timestamp(),
            )

    def delete_old_claims(self, moment: datetime) -> int:
        return int(QUERIES.delete_old_claims(self._db, moment=moment.timestamp()))
