"""The audit log: who did what."""

import json
import logging
import stat

import httpx
import pytest

from samples import NOW
from treadle.api.http import audit_log
from treadle.api.http.audit_log import AuditLog, entries
from treadle.api.http.exchange import Exchange
from treadle.api.http.failures import FAILURES
from treadle.api.http.routes import OPERATIONS
from treadle.model.access import Token

GC = next(each for each in OPERATIONS if each.path.endswith("/gc"))


def an_exchange(**fields):
    """A request to free space that was carried out."""
    scope = {"type": "http", "method": "POST", "path": GC.path, "client": ("10.0.0.1", 5)}
    token = Token(id="tok_1", name="ci", user="analyst", scopes=("admin",), created_at=NOW)
    known = {"operation": GC, "token": token, "admitted": True, "status": 200}
    return Exchange(scope=scope, came_from=None, passed_on=None, **(known | fields))


def lines(server):
    return [json.loads(each) for each in (server.data_dir / "audit.log").read_text().splitlines()]


# what is told


def test_what_writes_is_told_with_what_came_of_it(server, holding):
    caller = holding("admin", user="analyst")

    made = caller.post("/tokens", json={"name": "of-analyst", "scopes": ["read"]})

    last = lines(server)[-1]
    assert last.pop("id").startswith("aud_")
    assert last.pop("at")
    assert last == {
        "user": "analyst",
        "token": caller.made["name"],
        "address": "127.0.0.1",
        "method": "POST",
        "path": "/api/v1/tokens",
        "status": 201,
        "made": made.headers["location"],
    }


def test_what_only_reads_is_not_told(server, owner):
    before = len(lines(server))

    owner.get("/runs")
    owner.post("/blobs/missing", json={"digests": []})

    assert len(lines(server)) == before


def test_what_is_refused_is_told(server, holding):
    holding("read").post("/gc")
    httpx.get(f"{server.url}/api/v1/runs")
    httpx.get(f"{server.url}/api/v1/runs", headers={"Host": "evil.example"})

    wrong_scope, no_token, wrong_name = lines(server)[-3:]
    assert (wrong_scope["status"], wrong_scope["path"]) == (403, "/api/v1/gc")
    assert (no_token["status"], no_token["user"], no_token["token"]) == (401, "", "")
    assert wrong_name["status"] == 403


def test_one_token_cannot_fill_the_log_with_what_it_may_not_do(server, holding):
    caller, colleague = holding("read"), holding("read")
    before = len(lines(server))

    codes = [caller.post("/gc").status_code for _ in range(FAILURES + 5)]

    assert codes == [403] * FAILURES + [429] * 5
    assert len(lines(server)) == before + FAILURES
    assert caller.get("/runs").status_code == 200
    assert colleague.post("/gc").status_code == 403


def test_who_comes_with_a_revoked_token_is_named(server, owner, holding):
    caller = holding("read", user="visitor")
    owner.delete(f"/tokens/{caller.made['id']}")

    caller.get("/runs")

    assert lines(server)[-1]["user"] == "visitor"
    assert lines(server)[-1]["token"] == caller.made["name"]


def test_the_owner_on_the_socket_is_told_too(server):
    transport = httpx.HTTPTransport(uds=str(server.socket))
    with httpx.Client(transport=transport, base_url="http://treadle/api/v1") as http:
        http.post("/gc", json={"dry_run": True})

    last = lines(server)[-1]
    assert (last["user"], last["token"], last["address"]) == ("owner", "", "")


def test_no_text_of_a_token_and_no_body_is_written_anywhere(server, holding):
    caller = holding("admin")
    caller.post("/tokens", json={"name": "unseen", "scopes": ["read"], "user": "not-in-the-log"})
    secrets = (caller.token.split("_", 2)[2], server.token.split("_", 2)[2], "not-in-the-log")

    written = (server.data_dir / "audit.log").read_text() + server.log.read_text()
    for path in server.data_dir.glob("ledger.db*"):
        written += path.read_bytes().decode("latin-1").replace("not-in-the-log", "")

    assert not [secret for secret in secrets if secret in written]


# how it is kept


def test_the_file_is_the_owners_alone(server, owner):
    owner.post("/gc", json={"dry_run": True})

    assert stat.S_IMODE((server.data_dir / "audit.log").stat().st_mode) == 0o600


def test_old_files_are_kept_up_to_a_number(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_log, "LARGEST_BYTES", 1000)
    log = AuditLog(tmp_path)
    for number in range(60):
        log.tell(an_exchange(location=f"/{number}"), NOW)
    log.close()

    kept = list(entries(tmp_path))

    names = ["audit.log", *(f"audit.log.{n}" for n in range(1, 6))]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert [each.made for each in kept] == [f"/{n}" for n in range(59, 59 - len(kept), -1)]
    assert 10 < len(kept) < 60


def test_a_full_disk_is_told_once_and_what_was_cut_short_left_out(small_disk, caplog):
    caplog.set_level(logging.ERROR)
    log, filler = AuditLog(small_disk), small_disk / "filler"
    log.tell(an_exchange(location="/first"), NOW)
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)

    for _ in range(50):
        log.tell(an_exchange(), NOW)
    filler.unlink()
    log.tell(an_exchange(location="/last"), NOW)
    log.close()

    assert len([each for each in caplog.records if "audit log" in each.message]) == 1
    kept = [each.made for each in entries(small_disk)]
    assert (kept[0], kept[-1]) == ("/last", "/first")


# how it is read


def test_the_log_is_read_newest_first_a_page_at_a_time(owner):
    for _ in range(5):
        owner.post("/gc", json={"dry_run": True})

    first = owner.get("/audit", params={"limit": 2}).json()
    second = owner.get("/audit", params={"limit": 2, "before": first["next"]}).json()

    told = [*first["entries"], *second["entries"]]
    assert len(told) == 4
    assert [each["id"] for each in told] == sorted((each["id"] for each in told), reverse=True)


def test_a_page_behind_the_last_is_empty(owner):
    nothing = owner.get("/audit", params={"before": "aud_gone"}).json()

    assert nothing == {"entries": [], "next": None}


def test_the_log_of_one_user_is_read_alone(owner, holding):
    holding("admin", user="trainer").post("/gc", json={"dry_run": True})

    found = owner.get("/audit", params={"user": "trainer"}).json()["entries"]

    assert {each["user"] for each in found} == {"trainer"}


def test_only_administrators_read_it(holding):
    assert holding("run").get("/audit").status_code == 403
