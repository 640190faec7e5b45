"""Who is let in: by which token, from which page, and how often."""

import json
from datetime import timedelta

import anyio
import httpx
import pytest

from doors.houses import OWNERS, lobby
from samples import NOW, HandClock
from treadle.api.http import bodies
from treadle.api.http.exchange import Exchange
from treadle.api.http.failures import FAILURES, MOST_KEPT, Failures
from treadle.errors import Busy

RUNS = "/runs"


def asked(data_dir, ask, **fields):
    """Run the coroutine function with a lobby; what it returns."""

    async def life():
        async with lobby(data_dir, **fields) as here:
            return await ask(here)

    return anyio.run(life)


# tokens


def test_who_sends_no_token_is_told_how_to(server):
    answer = httpx.get(f"{server.url}/api/v1/runs")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in answer.json()["hint"]


@pytest.mark.parametrize(
    "header",
    ["Basic b3duZXI6", "Bearer", "Bearer x", "Bearer trd_owner_", "Bearer trd__x", "trd_owner_x"],
)
def test_what_is_no_token_is_refused(server, header):
    answer = httpx.get(f"{server.url}/api/v1/runs", headers={"Authorization": header})

    assert answer.status_code in (401, 429)
    assert "secret" not in answer.text


def test_a_wrong_secret_tells_no_more_than_a_wrong_name(tmp_path):
    async def ask(here):
        right = here.add_token("read")
        async with here.caller(right[:-4] + "AAAA") as wrong_secret:
            first = await wrong_secret.get(RUNS)
        async with here.caller("trd_0000_" + "A" * 43) as unknown:
            return first.content, (await unknown.get(RUNS)).content

    wrong_secret, unknown = asked(tmp_path, ask)

    assert wrong_secret == unknown
    assert json.loads(unknown)["detail"] == "This token is not known here."


def test_a_token_opens_what_its_scope_includes_and_no_more(holding):
    reader = holding("read")

    assert reader.get(RUNS).status_code == 200
    refused = reader.post("/gc")
    assert refused.status_code == 403
    assert "needs the scope 'admin'" in refused.json()["detail"]


def test_an_expired_token_is_told_since_when(tmp_path):
    async def ask(here):
        token = here.add_token("read", expires_at=NOW + timedelta(hours=1))
        here.clock.time = NOW
        async with here.caller(token) as caller:
            before = await caller.get(RUNS)
            here.clock.forward(3600)
            return before, await caller.get(RUNS)

    before, after = asked(tmp_path, ask)

    assert before.status_code == 200
    assert after.status_code == 401
    assert f"expired at {NOW + timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC" in after.json()["detail"]


def test_a_revoked_token_is_refused_at_once_and_told_so(holding, owner):
    caller = holding("read")
    assert caller.get(RUNS).status_code == 200

    assert owner.delete(f"/tokens/{caller.made['name']}").status_code == 204

    assert "was revoked" in caller.get(RUNS).json()["detail"]


def test_what_is_followed_with_a_token_ends_when_it_is_revoked(holding, owner):
    caller = holding("read")

    with caller.stream("GET", "/events") as events:
        assert events.status_code == 200
        owner.delete(f"/tokens/{caller.made['id']}")

        with pytest.raises(httpx.RemoteProtocolError):
            events.read()


def test_what_is_followed_with_a_token_ends_when_it_expires(holding):
    caller = holding("read", expires_in_seconds=3)

    with caller.stream("GET", "/events") as events, pytest.raises(httpx.RemoteProtocolError):
        events.read()

    assert "expired at" in caller.get(RUNS).json()["detail"]


def test_the_use_of_a_token_is_noted_once_a_minute(tmp_path):
    async def ask(here):
        token, noted = here.add_token("read"), []
        async with here.caller(token) as caller:
            for seconds in (0, 30, 29, 1, 59):
                here.clock.forward(seconds)
                await caller.get(RUNS)
                noted.append((here.known().used_at - HandClock().now()).total_seconds())
        return noted

    assert asked(tmp_path, ask) == [0, 0, 0, 60, 60]


def test_a_use_that_was_refused_is_not_noted(tmp_path):
    async def ask(here):
        token = here.add_token("read", expires_at=NOW)
        async with here.caller(token) as caller:
            return (await caller.get(RUNS)).status_code, here.known().used_at

    assert asked(tmp_path, ask) == (401, None)


def test_the_owners_token_opens_everything_and_no_other_of_that_name_does(tmp_path):
    async def ask(here):
        async with here.caller(OWNERS) as owner, here.caller("trd_owner_guess") as other:
            return (await owner.get("/tokens")).status_code, (await other.get(RUNS)).status_code

    assert asked(tmp_path, ask) == (200, 401)


def test_without_an_owners_token_none_is_the_owners(tmp_path):
    async def ask(here):
        object.__setattr__(here.house, "owner_token", "")
        async with type(here)(type(here.gate)(here.house), here.house).caller(OWNERS) as caller:
            return (await caller.get(RUNS)).status_code

    assert asked(tmp_path, ask) == 401


# failures


def test_after_ten_failures_an_address_is_told_to_wait_and_tokens_that_hold_pass(tmp_path):
    async def ask(here):
        async with here.caller("trd_x_y") as guesser, here.caller(OWNERS) as colleague:
            codes = [(await guesser.get(RUNS)).status_code for _ in range(FAILURES + 1)]
            last = await guesser.get(RUNS)
            passed = await colleague.get(RUNS)
            async with here.caller("trd_x_y", "10.0.0.2") as elsewhere:
                other = await elsewhere.get(RUNS)
            here.clock.forward(60)
            return codes, last, passed, other, await guesser.get(RUNS)

    codes, last, passed, other, later = asked(tmp_path, ask)

    assert codes == [401] * FAILURES + [429]
    assert last.headers["retry-after"] == "60"
    assert passed.status_code == 200
    assert other.status_code == 401
    assert later.status_code == 401


def test_one_host_has_one_count_for_all_its_ipv6_addresses():
    failures = Failures(HandClock())

    for number in range(FAILURES):
        failures.add(f"2001:db8::{number:x}")

    with pytest.raises(Busy):
        failures.add("2001:db8::ffff")
    failures.add("2001:db8:0:1::1")


def test_the_addresses_that_failed_are_remembered_up_to_a_number():
    failures = Failures(HandClock())

    for number in range(MOST_KEPT + 10):
        failures.add(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(failures._times) == MOST_KEPT


# names and pages


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8470", 200),
        ("localhost:9999", 200),
        ("LOCALHOST.", 200),
        ("[::1]:8470", 200),
        ("treadle.example", 200),
        ("Other.Example:80", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.1.2.3", 403),
        ("0.0.0.0", 403),
        ("", 403),
        ("[", 403),
    ],
)
def test_a_server_answers_to_its_own_names_only(tmp_path, host, status):
    async def ask(here):
        async with here.caller(OWNERS) as caller:
            return await caller.get(RUNS, headers={"Host": host})

    answer = asked(tmp_path, ask, host="treadle.example", allowed_hosts=("other.example",))

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8470", 200),
        ("https://board.example", 200),
        ("https://board.example:443", 200),
        ("http://board.example", 403),
        ("https://127.0.0.1:8470", 403),
        ("http://127.0.0.1:9999", 403),
        ("http://127.0.0.1", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_only_pages_of_the_server_and_such_as_are_allowed_may_ask(tmp_path, origin, status):
    async def ask(here):
        async with here.caller(OWNERS) as caller:
            return await caller.get(RUNS, headers={"Origin": origin})

    answer = asked(tmp_path, ask, allowed_origins=("https://board.example",))

    assert answer.status_code == status


def test_a_request_without_a_host_makes_no_sense(opened):
    caller = opened()

    caller.sendall(b"GET /api/v1/runs HTTP/1.1\r\n\r\n")

    assert caller.recv(999).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("", 401),
        ("Origin: http://evil.example\r\nAuthorization: Bearer {token}\r\n", 403),
        ("Authorization: Bearer {token}\r\n", 101),
    ],
)
def test_a_websocket_is_refused_before_it_is_one(server, opened, more, status):
    caller = opened("127.0.2.1")
    host = server.url.removeprefix("http://")

    caller.sendall(
        f"GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {'A' * 22}==\r\n{more.format(token=server.token)}\r\n".encode()
    )

    assert caller.recv(999).startswith(f"HTTP/1.1 {status} ".encode())


# bodies


def test_bodies_read_at_once_are_limited_in_all(tmp_path):
    async def ask(here):
        exchanges = bodies.Bodies(limit=100)
        with (
            exchanges.reading(sending(b"x" * 90), streams=False) as first,
            exchanges.reading(sending(b"x" * 90), streams=False) as second,
        ):
            await first()
            await second()
            with exchanges.reading(sending(b"x" * 90), streams=False) as third:
                with pytest.raises(Busy) as refused:
                    await third()
        with exchanges.reading(sending(b"x" * 90), streams=False) as fourth:
            await fourth()
        return refused.value.details

    assert asked(tmp_path, ask) == {"retry_after_seconds": 1}


def test_a_body_that_is_longer_than_announced_is_a_request_of_its_own(server, opened):
    caller = opened()
    host = server.url.removeprefix("http://")

    caller.sendall(
        f"POST /api/v1/blobs/missing HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n"
        f'Authorization: Bearer {server.token}\r\n\r\n{{}}{{"digests": []}}\r\n\r\n'.encode()
    )
    answers = b"".join(iter(lambda: caller.recv(9999), b""))

    assert answers.startswith(b"HTTP/1.1 400 ")
    assert b"This is not HTTP/1.1." in answers


def test_a_caller_who_leaves_in_the_middle_of_a_body_leaves_nothing(server, opened, owner):
    caller = opened()
    host = server.url.removeprefix("http://")

    caller.sendall(
        f"POST /api/v1/tokens HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n"
        f'Authorization: Bearer {server.token}\r\n\r\n{{"name": "half"'.encode()
    )
    caller.close()

    assert "half" not in {each["name"] for each in owner.get("/tokens").json()["tokens"]}


def sending(*parts):
    """An exchange whose body comes in these parts, and then nothing."""
    left = [{"type": "http.request", "body": part, "more_body": True} for part in parts]

    async def receive():
        if left:
            return left.pop(0)
        await anyio.sleep_forever()

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    return Exchange(scope=scope, came_from=receive, passed_on=receive)
