"""Statements of the ledger that list: what there is, a page at a time."""

import json
import sqlite3
from collections.abc import Callable, Collection
from datetime import datetime

from treadle.interfaces import RunFilter
from treadle.model.groups import GROUP, Group
from treadle.model.records import Job, Metric, Run
from treadle.storage.ledger import listing, rows
from treadle.storage.ledger.upkeep import LAST, QUERIES

LOOKED_AT = 2000  #: calls, by one page that is asked for some of them


class Lists:
    """The part of interfaces.Books that pages are made of."""

    _db: sqlite3.Connection
    _job: Callable[[sqlite3.Row], Job]

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

    def active_in_group(self, name: str, *, first: str, last: str) -> list[Job]:
        found = QUERIES.active_in_group(self._db, key=GROUP, value=name, first=first, last=last)
        return [self._job(row) for row in list(found)]

    def began_in_group(self, name: str, *, first: str, last: str) -> dict[str, datetime]:
        found = QUERIES.began_in_group(self._db, key=GROUP, value=name, first=first, last=last)
        return {r["run_id"]: at for r in found if (at := rows.moment(r["began"])) is not None}

    def calls(
        self, *, states: Collection[str], user: str | None, before: str | None, limit: int
    ) -> tuple[list[Job], str | None]:
        last = QUERIES.calls_looked_at(self._db, before=before or LAST, others=LOOKED_AT - 1)
        found = QUERIES.calls(
            self._db,
            before=before or LAST,
            last="" if last is None else last["id"],
            states=" ".join(states) or None,
            user=user,
            limit=limit,
        )
        jobs = [self._job(row) for row in list(found)]
        if len(jobs) == limit:
            return jobs, jobs[-1].id
        return jobs, None if last is None else last["id"]

    def jobs_of_run(
        self, run_id: str, *, states: Collection[str], user: str | None, after: int, limit: int
    ) -> list[Job]:
        found = QUERIES.jobs_of_run(
            self._db,
            run_id=run_id,
            states=" ".join(states) or None,
            user=user,
            after=after,
            limit=limit,
        )
        return [self._job(row) for row in list(found)]

    def metrics_page(
        self, job_id: str, *, name: str | None, after: int, limit: int
    ) -> list[Metric]:
        found = QUERIES.metrics_page(self._db, job_id=job_id, name=name, after=after, limit=limit)
        return [rows.metric(row) for row in found]

    def last_metrics_of_job(self, job_id: str) -> list[Metric]:
        return [rows.metric(row) for row in QUERIES.last_metrics_of_job(self._db, job_id=job_id)]
