"""Numbered migrations, run forward only, after a backup. `PRAGMA user_version` is the schema's."""

import sqlite3
from pathlib import Path

from treadle.errors import NewerSchema, Unavailable

DIRECTORY = Path(__file__).with_name("migrations")


def migrations() -> dict[int, str]:
    """Number -> SQL, in order."""
    files = sorted(DIRECTORY.glob("*.sql"))
    return {int(file.name.partition("_")[0]): file.read_text() for file in files}


def latest() -> int:
    return max(migrations())


def version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(db: sqlite3.Connection, path: str) -> None:
    """Raises NewerSchema if a newer Treadle wrote the ledger."""
    if (found := version(db)) > latest():
        raise NewerSchema(
            f"The ledger {path} has schema {found}; this Treadle knows up to {latest()}.",
            hint="Upgrade Treadle, or use another data directory.",
        )


def refuse_older(db: sqlite3.Connection, path: str) -> None:
    """Raises Unavailable if the ledger has yet to be brought up to date, which an owner does."""
    if (found := version(db)) < latest():
        raise Unavailable(
            f"The ledger {path} is of an earlier Treadle (schema {found}, now {latest()}).",
            hint="The next `treadle run` or `treadle up` brings it up to date, after a copy of it.",
        )


def bring_up_to_date(db: sqlite3.Connection, path: str) -> None:
    """Apply what is missing, each migration in a transaction; first copy the file beside itself."""
    refuse_newer(db, path)
    found = version(db)
    missing = {number: sql for number, sql in migrations().items() if number > found}
    if missing and found > 0 and path != ":memory:":
        _back_up(db, Path(f"{path}.schema-{found}.backup"))
    for number, sql in missing.items():
        try:
            db.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def _back_up(db: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    db.execute("VACUUM INTO ?", (str(target),))
