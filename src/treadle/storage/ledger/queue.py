"""Statements of the ledger about who waits for a slot."""

import sqlite3

from treadle.interfaces import Head
from treadle.storage.ledger.upkeep import QUERIES

USERS: str = QUERIES.users_in_queue.sql  # for every step of every run: aiosql's own calls cost more


class Queue:
    """The part of interfaces.Books that taking turns needs."""

    _db: sqlite3.Connection

    def users_in_queue(self) -> list[str]:
        return [row[0] for row in self._db.execute(USERS)]

    def heads_of_queue(self) -> list[Head]:
        return [Head._make(row) for row in QUERIES.heads_of_queue(self._db)]

    def count_queued(self) -> dict[str, int]:
        return dict(QUERIES.count_queued(self._db))

    def count_unended_jobs(self) -> int:
        return int(QUERIES.count_unended_jobs(self._db)[0])
