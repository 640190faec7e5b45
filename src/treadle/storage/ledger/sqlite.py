"""The ledger in one SQLite file: one writer, transactions per loop turn, checkpoints elsewhere."""

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from anyio import to_thread

from treadle.errors import NotFound, StorageFull, Unavailable
from treadle.storage.ledger import migrate
from treadle.storage.ledger.books import SqliteBooks

T = TypeVar("T")
Pending = tuple[Callable[[SqliteBooks], Any], asyncio.Future[Any]]
Durability = Literal["process", "power"]
CHECKPOINT_SECONDS = 1.0
LONG_LOG_PAGES = 32 * 1024  #: of the write-ahead log; 64 MB
LOCKED_SECONDS = 5.0  #: how long a write waits for another program that writes
LOCKED_PAUSE_SECONDS, LOCKED_PAUSE_MS = 0.01, 10  #: of the loop, and within it
HOLD_UP_MS = 50  #: how long a reader of a long log may hold up commits, once a checkpoint
CACHE_KIB = 16 * 1024  #: taken as it is needed; a run of 10,000 steps fits
PAGE_BYTES = 2048  #: a commit writes whole pages, about ten for a step; half of SQLite's usual size
log = logging.getLogger(__name__)


class SqliteLedger:
    """interfaces.Ledger on SQLite in WAL mode.

    path: a file, or ":memory:". durability: "process" survives the death of the process, "power"
    also that of the machine (fsync at each commit). read_only: never writes, needs no owner.
    Raises Unavailable (no such file, damaged, locked), NewerSchema.
    """

    def __init__(
        self, path: Path | str, *, durability: Durability = "process", read_only: bool = False
    ) -> None:
        self.path = str(path)
        self.durability: Durability = durability
        try:
            self._db = _opened(self.path, durability, read_only)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        self._books = SqliteBooks(self._db)
        self._pending: list[Pending] = []
        self._checkpoints: Checkpoints | None = None
        if not read_only and self.path != ":memory:":
            self._checkpoints = Checkpoints(self.path)

    async def write(self, fn: Callable[[SqliteBooks], T]) -> T:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        if not self._pending:
            loop.call_soon(self._flush)
        self._pending.append((fn, done))
        return await done

    def write_now(self, fn: Callable[[SqliteBooks], T]) -> T:
        """One function, one transaction, at once: for start-up. Waits for who locks the ledger."""
        give_up = time.monotonic() + LOCKED_SECONDS
        try:
            while not self._has_begun(give_up):
                pass
            try:
                result = fn(self._books)
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        return result

    def _has_begun(self, give_up: float) -> bool:
        """Begin a transaction. False while somebody else writes: try again.

        Raises sqlite3.OperationalError when that takes too long.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY and time.monotonic() < give_up:
                return False
            raise
        return True

    def _flush(self, give_up: float | None = None) -> None:
        """Write what is pending; while somebody else writes, the loop goes on meanwhile."""
        loop = asyncio.get_running_loop()
        give_up = time.monotonic() + LOCKED_SECONDS if give_up is None else give_up
        try:
            if not self._has_begun(give_up):
                loop.call_later(LOCKED_PAUSE_SECONDS, self._flush, give_up)
                return
        except sqlite3.Error as error:
            batch, self._pending = self._pending, []
            _tell(batch, [(None, translate(error, self.path))] * len(batch))
            return
        self._write_pending()

    def _write_pending(self) -> None:
        batch, self._pending = self._pending, []
        try:
            outcomes = [self._outcome(fn, alone=len(batch) == 1) for fn, _ in batch]
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            outcomes = [(None, translate(error, self.path))] * len(batch)
        _tell(batch, outcomes)

    def _outcome(
        self, fn: Callable[[SqliteBooks], Any], *, alone: bool
    ) -> tuple[Any, BaseException | None]:
        """What fn returned or raised; what the database itself refuses ends the transaction.

        alone: it has the transaction for itself, and needs no savepoint.
        """
        try:
            return fn(self._books) if alone else self._in_savepoint(fn), None
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits it
            if alone:
                self._roll_back()
                self._db.execute("BEGIN")
            return None, error

    def _in_savepoint(self, fn: Callable[[SqliteBooks], T]) -> T:
        self._db.execute("SAVEPOINT one")
        try:
            result = fn(self._books)
        except Exception:
            self._books.rolled_back()
            if self._db.in_transaction:  # a full disk may have rolled all of it back
                self._db.execute("ROLLBACK TO one")
                self._db.execute("RELEASE one")
            raise
        self._db.execute("RELEASE one")
        return result

    def _roll_back(self) -> None:
        self._books.rolled_back()
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def read(self, fn: Callable[[SqliteBooks], T]) -> T:
        try:
            self._db.execute("BEGIN")
            try:
                return fn(self._books)
            finally:
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    async def read_long(self, fn: Callable[[SqliteBooks], T]) -> T:
        if self.path == ":memory:":
            return self.read(fn)
        return await to_thread.run_sync(self._read_elsewhere, fn)

    def _read_elsewhere(self, fn: Callable[[SqliteBooks], T]) -> T:
        """With a connection of its own."""
        try:
            with closing(connect(self.path, read_only=True)) as db:
                db.execute("BEGIN")
                return fn(SqliteBooks(db))
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def close(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.stop()
        self._db.close()


def _tell(batch: Sequence[Pending], outcomes: Sequence[tuple[Any, BaseException | None]]) -> None:
    """What came of it, to those who wait for it."""
    for (_, done), (result, reason) in zip(batch, outcomes, strict=True):
        if done.cancelled():
            continue
        if reason is not None:
            done.set_exception(reason)
        else:
            done.set_result(result)


def _opened(path: str, durability: Durability, read_only: bool) -> sqlite3.Connection:
    """A connection to a ledger of the present schema."""
    db = connect(path, read_only=read_only)
    try:
        if not read_only:
            migrate.bring_up_to_date(db, path)
            db.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
            db.execute(f"PRAGMA busy_timeout = {LOCKED_PAUSE_MS}")
        migrate.refuse_newer(db, path)
        if read_only and migrate.version(db) == 0:
            raise NotFound(f"There is nothing in the ledger {path} yet.")
        migrate.refuse_older(db, path)
    except BaseException:
        db.close()
        raise
    return db


def connect(path: str, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, set up as the ledger wants it."""
    address = _read_only_address(path) if read_only else path
    db = sqlite3.connect(
        address,
        uri=read_only,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        timeout=LOCKED_SECONDS,
    )
    try:
        _set_up(db, read_only)
    except BaseException:
        db.close()
        raise
    return db


def _read_only_address(path: str) -> str:
    """Where the folder cannot be written either, nobody can be writing there, and SQLite must not
    try to make its index of the write-ahead log."""
    log_is_empty = not Path(f"{path}-wal").exists() or not Path(f"{path}-wal").stat().st_size
    frozen = log_is_empty and not os.access(Path(path).parent, os.W_OK)
    return f"file:{quote(path)}?mode=ro" + ("&immutable=1" if frozen else "")


def _set_up(db: sqlite3.Connection, read_only: bool) -> None:
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    if not read_only:
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")


def translate(error: sqlite3.Error, path: str) -> Exception:
    """What SQLite said, in the words of our tree."""
    text = str(error)
    if "full" in text or "disk I/O" in text:
        return StorageFull(
            f"The ledger {path} cannot be written: {text}.",
            hint="Free some space (`treadle gc` removes what nothing refers to).",
        )
    if "locked" in text or "busy" in text:
        return Unavailable(
            f"The ledger {path} is locked by another program.", hint="Close it and try again."
        )
    if isinstance(error, sqlite3.IntegrityError):
        return error
    if isinstance(error, sqlite3.DatabaseError):
        return Unavailable(
            f"The ledger {path} cannot be used: {text}.", hint="`treadle doctor` looks closer."
        )
    return error


class Checkpoints:
    """Moves the write-ahead log into the database from a thread of its own, so no commit waits.

    But for once in a while: under a steady stream of commits there is always one not yet moved, and
    the log would grow without end. When it is long, commits are held up while its rest is moved.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ledger-checkpoints", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        db = connect(self._path)
        db.execute(f"PRAGMA busy_timeout = {HOLD_UP_MS}")
        while not self._stopping.wait(CHECKPOINT_SECONDS):
            try:
                if db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1] > LONG_LOG_PAGES:
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)")  # so that little is left
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:  # a full disk: commits will say so; try again later
                log.info("checkpoint of %s failed: %s", self._path, error)
        db.close()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
