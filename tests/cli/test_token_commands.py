"""`treadle token` and `treadle audit`, on a data directory and on a server."""

import json

import pytest

from cli.conftest import Treadle
from cli.served import marked_server, remote_of


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with marked_server(tmp_path_factory.mktemp("served")) as made:
        yield made


def test_a_token_is_made_where_nobody_is_the_owner(treadle: Treadle):
    told = treadle.all("token", "create", "ci", "--scope", "run", "--expires", "30d")

    assert told.stdout.startswith("trd_")
    assert len(told.stdout.splitlines()) == 1
    assert "The token 'ci' is made, for 'ci': run, until " in told.stderr

    listed = treadle("token", "list")
    assert "ci" in listed
    assert told.stdout.strip() not in listed


def test_a_token_lets_its_holder_in_until_it_is_revoked(treadle: Treadle, server):
    admin = remote_of(treadle, server)
    made = admin.json("token", "create", "analyst", "--scope", "read", "--user", "Ada")
    analyst = admin.using(TREADLE_TOKEN=made["text"])

    assert analyst.json("ps") == {"runs": []}
    assert "needs the scope" in analyst.all("run", "pipelines.py:compare", code=2).stderr
    assert admin("token", "revoke", "analyst") == "analyst  revoked\n"
    assert "was revoked" in analyst.all("ps", code=None).stderr

    assert "analyst" not in admin("token", "list")
    assert "revoked" in admin("token", "list", "--all")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scope", "raed"), "Did you mean 'read'?"),
        (("--scope", "read", "--expires", "soon"), "is no duration"),
        (("--scope", "read", "--expires", "30"), "Days are 30d"),
        (("--scope", "read", "--expires", "0s"), "above 0"),
        (("--scope", "read", "--user", "two words"), "user: expected"),
        ((), "--scope"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(treadle: Treadle, arguments, said):
    assert said in treadle.all("token", "create", "ci", *arguments, code=2).stderr


def test_an_unknown_token_is_named_with_the_nearest(treadle: Treadle):
    treadle("token", "create", "builder", "--scope", "run")

    refused = treadle.json("token", "revoke", "bilder", code=2)

    assert "no token 'bilder'" in json.dumps(refused)
    assert "builder" in json.dumps(refused)


def test_without_tokens_the_list_says_how_to_make_one(treadle: Treadle):
    assert "treadle token create" in treadle.all("token", "list").stderr
    assert treadle.json("token", "list") == {"tokens": []}


def test_the_audit_log_tells_who_made_a_token(treadle: Treadle):
    made = treadle.json("token", "create", "ci", "--scope", "run")["token"]

    told = treadle("audit")
    entries = treadle.json("audit", "--user", "owner", "--limit", "1")["entries"]

    assert told.splitlines()[0].split() == ["at", "user", "status", "request"]
    assert f"POST /tokens -> {made['id']}" in told
    assert max(map(len, told.splitlines())) <= 80
    assert entries[0]["status"] == 201
    assert treadle.json("audit", "--user", "nobody") == {"entries": []}


def test_an_audit_log_where_nothing_happened_says_so(treadle: Treadle):
    assert "Nobody has written anything" in treadle.all("audit").stderr
