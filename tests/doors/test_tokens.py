"""Tokens: made, listed and revoked; and what one for certain tools may do."""

import os
from datetime import UTC, datetime

import pytest

from flows import add, sums
from treadle.errors import Unavailable
from treadle.server.embedded import connect
from treadle.server.owner_token import ensure_owner_token, owner_token
from treadle.server.settings import load


@pytest.fixture(scope="module")
def known(server):
    """A server that knows the tools of a run."""
    with connect(load(data_dir=server.data_dir)) as client:
        client.submit(sums)
    return add.name


def ended(caller, job_id):
    return caller.get(f"/jobs/{job_id}", params={"wait": 60}, timeout=70).json()


# made, listed, revoked


def test_the_text_of_a_token_is_told_once(owner, holding):
    made = holding("read", user="analyst").made

    listed = {each["id"]: each for each in owner.get("/tokens").json()["tokens"]}[made["id"]]

    assert made.pop("text").startswith(f"trd_{made['id'].removeprefix('tok_')}_")
    assert listed == made
    assert "hash" not in listed


def test_a_new_token_is_kept_by_no_cache(owner):
    answer = owner.post("/tokens", json={"name": "uncached", "scopes": ["read"]})

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == f"/api/v1/tokens/{answer.json()['id']}"


def test_a_token_is_its_own_user_unless_one_is_named(holding):
    assert holding("read", name="solo").made["user"] == "solo"


def test_an_expiry_is_a_time_or_a_span(holding):
    at = datetime(2100, 1, 1, tzinfo=UTC)
    by_time = holding("read", expires_at="2100-01-01T01:00:00+01:00").made
    by_span = holding("read", expires_in_seconds=3600).made

    assert datetime.fromisoformat(by_time["expires_at"]) == at
    life = datetime.fromisoformat(by_span["expires_at"]) - datetime.fromisoformat(
        by_span["created_at"]
    )
    assert life.total_seconds() == 3600


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": 3}, "name"),
        ({"name": "owner"}, "cannot be named"),
        ({"name": "tok_1"}, "cannot be named"),
        ({"user": "two words"}, "user"),
        ({"scopes": []}, "needs a scope"),
        ({"scopes": "read"}, "list"),
        ({"scopes": ["raed"]}, "no scope 'raed'"),
        ({"scopes": ["call:"]}, "no scope"),
        ({"scopes": ["call:*x"]}, "no scope"),
        ({"expires_in_seconds": 0}, "above 0"),
        ({"expires_in_seconds": True}, "above 0"),
        ({"expires_in_seconds": 1e300}, "above 0"),
        ({"expires_at": "yesterday"}, "ISO 8601"),
        ({"expires_at": "2001-01-01"}, "not in the future"),
        ({"expires_at": "2100-01-01", "expires_in_seconds": 9}, "not both"),
        ({"text": "trd_x_y"}, "Unknown field"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(owner, wrong, named):
    answer = owner.post("/tokens", json={"name": "good", "scopes": ["read"]} | wrong)

    assert answer.status_code == 400
    assert named in answer.json()["detail"]


def test_two_tokens_have_different_names_until_one_is_revoked(owner):
    wanted = {"name": "twice", "scopes": ["read"]}
    assert owner.post("/tokens", json=wanted).status_code == 201
    assert owner.post("/tokens", json=wanted).status_code == 409

    assert owner.delete("/tokens/twice").status_code == 204
    assert owner.post("/tokens", json=wanted).status_code == 201


def test_a_key_that_has_made_a_token_does_not_show_it_again(owner):
    wanted, key = {"name": "keyed", "scopes": ["read"]}, {"Idempotency-Key": "k1"}
    assert owner.post("/tokens", json=wanted, headers=key).status_code == 201

    again = owner.post("/tokens", json=wanted, headers=key)
    other = owner.post("/tokens", json=wanted | {"scopes": ["run"]}, headers=key)

    assert again.status_code == 409
    assert "shown once" in again.json()["detail"]
    assert other.status_code == 422


def test_revoking_takes_a_name_or_an_id_and_the_name_is_free_again(owner, holding):
    by_id = holding("read").made
    assert owner.delete(f"/tokens/{by_id['id']}").status_code == 204
    assert owner.delete(f"/tokens/{by_id['id']}").status_code == 204

    unknown = owner.delete(f"/tokens/{by_id['name']}")
    assert unknown.status_code == 404


def test_the_owners_token_cannot_be_revoked(owner):
    answer = owner.delete("/tokens/owner")

    assert answer.status_code == 409
    assert "owner.token" in answer.json()["hint"]


# calls of tools by name


def test_a_known_tool_is_called_by_its_name_with_plain_json(known, holding):
    caller = holding(f"call:{known}")

    made = caller.post("/calls", json={"tool": known, "arguments": {"a": 2, "b": 3}})

    assert made.status_code == 201, made.text
    job = ended(caller, made.json()["id"])
    assert job["state"] == "completed"
    assert job["user"] == caller.made["user"]
    assert caller.get(f"/jobs/{job['id']}/outputs/result").json() == 5
    assert caller.get(f"/jobs/{job['id']}/log").status_code == 200


def test_a_version_can_be_named_too(known, owner):
    tool = sums.trace().submission().pipeline.tools[0]

    exact = owner.post("/calls", json={"tool": f"{known}@{tool.version}", "arguments": {"a": 1}})
    other = owner.post("/calls", json={"tool": f"{known}@none", "arguments": {"a": 1}})

    assert exact.status_code == 201
    assert exact.json()["tool_id"] == tool.id
    assert other.status_code == 404


def test_arguments_that_a_tool_does_not_take_are_named(known, owner):
    wrong = owner.post("/calls", json={"tool": known, "arguments": {"a": 1, "c": 1}})
    too_few = owner.post("/calls", json={"tool": known, "arguments": {}})

    assert (wrong.status_code, too_few.status_code) == (422, 422)
    assert "no parameter 'c'" in wrong.json()["detail"]
    assert "needs a" in too_few.json()["detail"]


@pytest.mark.parametrize("tool", ["other", "add2", "*", "", "call:add", "@1"])
def test_a_token_for_a_tool_calls_no_other(known, holding, tool):
    answer = holding(f"call:{known}").post("/calls", json={"tool": tool, "arguments": {"a": 1}})

    assert answer.status_code == 403
    assert f"It may call {known}" in answer.json()["hint"]


def test_a_token_for_a_beginning_of_names_calls_all_of_them(known, holding):
    caller = holding(f"call:{known[:2]}*")

    assert caller.post("/calls", json={"tool": known, "arguments": {"a": 1}}).status_code == 201
    assert caller.post("/calls", json={"tool": "other"}).status_code == 403


def test_a_token_for_a_tool_sends_no_code_of_its_own(known, holding):
    tool = {"id": "t", "name": known, "version": "1", "code": {"kind": "value", "digest": "d"}}

    answer = holding(f"call:{known}").post("/calls", json={"tool": tool, "arguments": {}})

    assert answer.status_code == 403
    assert "by their names" in answer.json()["detail"]


def test_a_token_for_a_tool_sees_its_own_jobs_and_nothing_else(known, holding, owner):
    caller, other = holding("call:*"), holding("call:*")
    mine = caller.post("/calls", json={"tool": known, "arguments": {"a": 1}}).json()["id"]
    foreign = other.post("/calls", json={"tool": known, "arguments": {"a": 1}}).json()["id"]

    refused = [
        caller.get(path).status_code
        for path in (
            f"/jobs/{foreign}",
            f"/jobs/{foreign}/log",
            f"/jobs/{foreign}/outputs/result",
            "/jobs/job_000000000000000000",
            f"/jobs/{mine[:-3]}",
            "/runs",
            "/health",
            "/tokens",
            "/blobs/x",
        )
    ]

    assert refused == [403] * len(refused)
    assert ended(caller, mine)["state"] == "completed"
    assert owner.get(f"/jobs/{foreign}").status_code == 200


# the owner's token in its file


def test_the_owners_token_is_made_once(tmp_path):
    assert owner_token(tmp_path) is None
    first = ensure_owner_token(tmp_path)

    assert ensure_owner_token(tmp_path) == first == owner_token(tmp_path)
    assert (tmp_path / "owner.token").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["owner.token"]


def test_an_owners_token_that_others_could_read_is_made_anew(tmp_path, caplog):
    first = ensure_owner_token(tmp_path)
    (tmp_path / "owner.token").chmod(0o644)

    second = ensure_owner_token(tmp_path)

    assert second != first
    assert (tmp_path / "owner.token").stat().st_mode & 0o777 == 0o600
    assert "could be read by others (mode 644)" in caplog.text
    assert first not in caplog.text


@pytest.mark.parametrize("left", ["", "nonsense", "trd_x_y", "\N{SNOWMAN}"])
def test_what_is_no_token_is_replaced(tmp_path, left):
    path = tmp_path / "owner.token"
    path.write_text(left)
    path.chmod(0o600)

    assert owner_token(tmp_path) is None
    assert ensure_owner_token(tmp_path) == path.read_text().strip()


def test_a_link_in_the_place_of_the_owners_token_is_not_followed(tmp_path):
    (tmp_path / "other").write_text("trd_owner_planted")
    (tmp_path / "owner.token").symlink_to(tmp_path / "other")

    with pytest.raises(Unavailable, match="delete it"):
        ensure_owner_token(tmp_path)


def test_an_owners_token_of_somebody_else_is_refused(tmp_path):
    if os.geteuid():
        pytest.skip("only root can give a file away")
    ensure_owner_token(tmp_path)
    os.chown(tmp_path / "owner.token", 12345, -1)

    with pytest.raises(Unavailable, match="belongs to another user"):
        ensure_owner_token(tmp_path)
