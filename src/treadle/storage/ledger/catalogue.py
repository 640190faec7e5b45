"""Statements of the ledger about tools and pipelines by name and version."""

import sqlite3
from datetime import datetime

from treadle.errors import NotFound
from treadle.model.catalogue import KnownPipeline, KnownTool, NamedPipeline, NamedTool
from treadle.storage.ledger import rows
from treadle.storage.ledger.upkeep import QUERIES

_LAST_CHARACTER = "\U0010ffff"
_NEVER = 1e12  #: seconds since 1970, behind all that was added


class Catalogue:
    """The part of interfaces.Books that shows definitions."""

    _db: sqlite3.Connection

    def tool_names(self, *, prefix: str, after: str, limit: int) -> list[NamedTool]:
        upper = prefix + _LAST_CHARACTER
        found = QUERIES.tool_names(self._db, prefix=prefix, after=after, upper=upper, limit=limit)
        return [
            NamedTool(name=row["name"], versions=row["versions"], newest=_tool(row))
            for row in found
        ]

    def tools_of_name(
        self, name: str, *, before: tuple[datetime, str] | None, limit: int
    ) -> list[KnownTool]:
        added, below = before or (None, "")
        found = QUERIES.tools_of_name(
            self._db,
            name=name,
            added_below=_NEVER if added is None else added.timestamp(),
            id_below=below,
            limit=limit,
        )
        return [_tool(row) for row in found]

    def tool_of_version(self, name: str, version: str) -> KnownTool:
        row = QUERIES.tool_of_version(self._db, name=name, version=version)
        if row is None:
            raise NotFound(f"There is no tool {name!r} of version {version!r}.")
        return _tool(row)

    def pipeline_names(self, *, prefix: str, after: str, limit: int) -> list[NamedPipeline]:
        upper = prefix + _LAST_CHARACTER
        found = QUERIES.pipeline_names(
            self._db, prefix=prefix, after=after, upper=upper, limit=limit
        )
        return [
            NamedPipeline(
                name=row["name"],
                versions=row["versions"],
                newest=_pipeline(row),
                runs=row["runs"],
                last_run=row["last_run"],
            )
            for row in found
        ]

    def pipelines_of_name(
        self, name: str, *, before: tuple[datetime, str] | None, limit: int
    ) -> list[KnownPipeline]:
        added, below = before or (None, "")
        found = QUERIES.pipelines_of_name(
            self._db,
            name=name,
            added_below=_NEVER if added is None else added.timestamp(),
            version_below=below,
            limit=limit,
        )
        return [_pipeline(row) for row in found]

    def pipeline_of_version(self, name: str, version: str) -> KnownPipeline:
        row = QUERIES.pipeline_of_version(self._db, name=name, version=version)
        if row is None:
            raise NotFound(f"There is no pipeline {name!r} of version {version!r}.")
        return _pipeline(row)

    def last_run_of_version(self, name: str, version: str) -> str | None:
        row = QUERIES.last_run_of_version(self._db, name=name, version=version)
        return None if row is None else row["id"]


def _tool(row: sqlite3.Row) -> KnownTool:
    added = rows.moment(row["added_at"])
    assert added is not None
    return KnownTool(tool=rows.tool(row["definition"]), added_at=added)


def _pipeline(row: sqlite3.Row) -> KnownPipeline:
    added = rows.moment(row["added_at"])
    assert added is not None
    return KnownPipeline(
        name=row["name"],
        version=row["version"],
        description=row["description"],
        parameters_schema=rows.load(row["parameters_schema"]),
        added_at=added,
    )
