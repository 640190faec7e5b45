"""Statements of the ledger that list: what there is, a page at a time."""

import json
import sqlite3

from treadle.interfaces import RunFilter
from treadle.model.groups import Group
from treadle.model.records import Run
from treadle.storage.ledger import listing, rows
from treadle.storage.ledger.upkeep import LAST, QUERIES


class Lists:
    """The part of interfaces.Books that pages are made of."""

    _db: sqlite3.Connection

    def runs(self, query: RunFilter) -> list[Run]:
        ids = json.dumps(listing.page_of(self._db, query))
        return self._with_labels(list(QUERIES.runs_of_ids(self._db, ids=ids)))

    def _with_labels(self, found: list[sqlite3.Row]) -> list[Run]:
        if not found:
            return []
        ids = json.dumps([row["id"] for row in found])
        labels: dict[str, dict[str, str]] = {}
        for label in QUERIES.labels_of_ids(self._db, ids=ids):
            labels.setdefault(label["run_id"], {})[label["key"]] = label["value"]
        return [rows.run(row, labels.get(row["id"], {})) for row in found]

    def groups(self, *, before: str | None = None, limit: int = 50) -> list[Group]:
        found = QUERIES.groups(self._db, before=before or LAST, limit=limit)
        return rows.groups(found)
