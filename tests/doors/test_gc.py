"""Garbage collection where the disk is full, or the clock was wrong."""

import os
import time
from datetime import timedelta

from treadle.errors import StorageFull
from treadle.interfaces import SystemClock
from treadle.storage.ledger.sqlite import SqliteLedger


def test_blobs_are_freed_though_the_ledger_cannot_be_written(client, http, stored, monkeypatch):
    digest = stored(b"nobody's")
    path = client.link.settings.data_dir / "blobs" / digest[:2] / digest
    hours_ago = time.time() - 7200
    os.utime(path, (hours_ago, hours_ago))
    write = SqliteLedger.write

    async def full(ledger, fn):
        if "post_gc" in fn.__qualname__:
            raise StorageFull("full")
        return await write(ledger, fn)

    monkeypatch.setattr(SqliteLedger, "write", full)
    assert http.post("/gc", json={}).json()["blobs"] == 1
    assert not path.exists()


def test_a_clock_that_was_set_back_makes_no_blob_look_old(client, http, stored, monkeypatch):
    digest = stored(b"to be named in a moment")
    now = SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda clock: now(clock) + timedelta(days=365))
    assert http.post("/gc", json={}).json()["blobs"] == 0
    assert (client.link.settings.data_dir / "blobs" / digest[:2] / digest).exists()
