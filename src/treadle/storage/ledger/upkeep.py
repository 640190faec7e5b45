"""Statements of the ledger about the whole of it: owners, ids, what is still wanted."""

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import aiosql

from treadle.storage.ledger import rows

QUERIES: Any = aiosql.from_path(
    Path(__file__).with_name("sql"), "sqlite3", mandatory_parameters=False
)
LAST = "\x7f"  #: sorts behind every id


class Upkeep:
    """The part of interfaces.Books that tidying up and looking around need."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add_owner(self, owner: str, pid: int, at: datetime) -> None:
        QUERIES.add_owner(self._db, id=owner, pid=pid, at=at.timestamp())

    def ids_from(self, prefix: str, limit: int) -> list[str]:
        found = QUERIES.ids_from(self._db, prefix=prefix, upper=prefix + LAST, limit=limit)
        return [row["id"] for row in found]

    def latest_run(self) -> str | None:
        found: str | None = QUERIES.latest_run(self._db)[0]
        return found

    def referenced_digests(self) -> set[str]:
        return {row["digest"] for row in QUERIES.referenced_digests(self._db)}

    def known_streams(self) -> set[str]:
        return {row["id"] for row in QUERIES.known_streams(self._db)}

    def known_jobs(self) -> set[str]:
        return {row["id"] for row in QUERIES.known_jobs(self._db)}

    def known_snapshots(self) -> set[str]:
        return {row["code_digest"] for row in QUERIES.known_snapshots(self._db)}

    def known_environments(self) -> set[str]:
        found = QUERIES.tools_of_unended_jobs(self._db)
        return {rows.tool(row["definition"]).environment.key for row in found} - {""}

    def delete_unused_definitions(self, moment: datetime) -> None:
        QUERIES.delete_unused_tools(self._db, moment=moment.timestamp())
        QUERIES.delete_unused_snapshots(self._db, moment=moment.timestamp())
