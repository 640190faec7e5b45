"""Requests that create something may be sent again, with their key, and make nothing twice."""

import json

import httpx
import pytest

from samples import a_submission, a_tool
from serving import running_server
from treadle.model.records import Code, Pipeline, Step, Submission
from treadle.model.wire import to_wire

ROOT_OF = a_tool("sqrt", code=Code(kind="snapshot", digest="", entry="math:sqrt"))
KEY = {"Idempotency-Key": "a-key-of-mine"}


def body_of(name="root", **fields):
    """A run of one step, as bytes: what is sent again must be the same to the letter."""
    step = Step(name="root", tool_id=ROOT_OF.id, arguments={})
    pipeline = Pipeline(name=name, version="1", tools=(ROOT_OF,), steps=(step,))
    return json.dumps(to_wire(Submission(pipeline=pipeline, **fields))).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server") / "state", "--slots", "1") as server:
        yield server


@pytest.fixture
def http(server):
    with httpx.Client(
        base_url=f"{server.url}/api/v1", headers=server.headers, timeout=60
    ) as client:
        yield client


def count(http):
    return len(http.get("/runs", params={"limit": 1000}).json()["runs"])


def test_a_run_posted_again_with_its_key_is_the_same_run(http):
    key, before = {"Idempotency-Key": "again"}, count(http)
    first = http.post("/runs", content=body_of(), headers=key)
    again = http.post("/runs", content=body_of(), headers=key, params={"wait": 30})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["location"] == first.headers["location"]
    assert again.json()["state"] == "failed"  # math.sqrt takes an argument; it is told as it is now
    assert count(http) == before + 1


def test_a_key_sent_with_another_body_is_refused(http):
    first = http.post("/runs", content=body_of(), headers=KEY)
    other = http.post("/runs", content=body_of("other"), headers=KEY)
    assert first.status_code == 201
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency.key_reused"
    # nor does it stand for another operation
    call = {"tool": to_wire(ROOT_OF), "arguments": {}}
    assert http.post("/calls", json=call, headers=KEY).status_code == 422


def test_the_same_key_of_another_user_is_another_key(http, server):
    made = http.post(
        "/tokens", json={"name": "trainer", "user": "trainer", "scopes": ["run"]}
    ).json()
    key = {"Idempotency-Key": "shared"}
    mine = http.post("/runs", content=body_of(), headers=key).json()
    bobs = {"Authorization": f"Bearer {made['text']}"}
    his = http.post("/runs", content=body_of(), headers=key | bobs).json()
    assert mine["id"] != his["id"]
    assert (mine["user"], his["user"]) == ("owner", "trainer")


def test_calls_and_retries_take_keys_too(http):
    call = json.dumps({"tool": to_wire(ROOT_OF), "arguments": {}}).encode()
    key = {"Idempotency-Key": "call"}
    jobs = [http.post("/calls", content=call, headers=key).json()["id"] for _ in range(3)]
    assert len(set(jobs)) == 1
    run = http.post("/runs", content=body_of(), params={"wait": 30}).json()
    key = {"Idempotency-Key": "retry"}
    runs = [http.post(f"/runs/{run['id']}/retry", headers=key) for _ in range(3)]
    assert {answer.status_code for answer in runs} == {201}
    assert len({answer.json()["id"] for answer in runs}) == 1


def test_what_a_key_made_and_was_deleted_is_not_made_again(http):
    key = {"Idempotency-Key": "deleted"}
    run = http.post("/runs", content=body_of(), headers=key, params={"wait": 30}).json()
    assert http.delete(f"/runs/{run['id']}").status_code == 204
    again = http.post("/runs", content=body_of(), headers=key)
    assert again.status_code == 409
    assert run["id"] in again.json()["detail"]


def test_a_key_must_be_short_and_printable(http):
    for key in ("x" * 201, "tab\there"):
        answer = http.post("/runs", content=body_of(), headers={"Idempotency-Key": key})
        assert answer.status_code == 400


def test_a_run_that_is_waited_for_is_told_with_its_end(http):
    ended = http.post("/runs", content=body_of(), params={"wait": 30})
    assert ended.status_code == 201
    assert ended.json()["ended_at"] is not None
    begun = http.post("/runs", content=body_of())
    assert begun.json()["state"] == "running"


def test_a_server_that_was_started_again_knows_the_keys_of_before(tmp_path):
    data_dir = tmp_path / "state"
    with running_server(data_dir, "--slots", "1") as server:
        headers = server.headers | KEY
        first = httpx.post(f"{server.url}/api/v1/runs", content=body_of(), headers=headers).json()
    with running_server(data_dir, "--slots", "1") as server:
        headers = server.headers | KEY
        again = httpx.post(f"{server.url}/api/v1/runs", content=body_of(), headers=headers).json()
        other = httpx.post(f"{server.url}/api/v1/runs", content=body_of("b"), headers=headers)
    assert again["id"] == first["id"]
    assert other.status_code == 422


def test_a_full_queue_says_why_and_when_to_come_again(tmp_path):
    for_ever = a_tool("pause", code=Code(kind="snapshot", digest="", entry="signal:pause"))
    with running_server(tmp_path / "state", "--slots", "1", QUEUE_LIMIT="3") as server:
        with httpx.Client(base_url=f"{server.url}/api/v1", headers=server.headers) as http:
            many = json.dumps(to_wire(a_submission({f"s{n}": [] for n in range(4)}))).encode()
            call = {"tool": to_wire(for_ever), "arguments": {}}
            too_many = http.post("/runs", content=many)
            jobs = [http.post("/calls", json=call) for _ in range(3)]
            one_more = http.post("/calls", json=call)
            for job in jobs:
                http.post(f"/jobs/{job.json()['id']}/abort")
    assert too_many.status_code == 413
    assert [job.status_code for job in jobs] == [201, 201, 201]
    assert one_more.status_code == 429
    assert "queue is full: 3 jobs" in one_more.json()["detail"]
    assert int(one_more.headers["retry-after"]) > 0
