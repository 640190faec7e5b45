"""The routes, one by one, as JSON."""

import json
import os
import socket
import time

import pytest
from blake3 import blake3

import flows
from samples import a_submission, a_tool
from treadle.model import bindings
from treadle.model.records import Code
from treadle.model.wire import to_wire
from treadle.server.ownership import read_card

STEP = a_tool("sqrt", code=Code(kind="snapshot", digest="", entry="math:sqrt"))


def problem_of(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["title"]
    assert document["type"].startswith("urn:treadle:error:")
    return document


def test_health(http):
    health = http.get("/health").json()
    assert health["status"] == "ok"
    assert health["slots"] == {"total": 2, "busy": 0}
    assert health["owner"].startswith("own_")


def test_a_blob_is_put_asked_for_and_read(http, stored):
    # Given bytes of more than one piece
    data = bytes(range(256)) * 10_000
    digest = stored(data)
    # Then they come back whole, and HEAD tells their size
    answer = http.get(f"/blobs/{digest}")
    assert answer.content == data
    assert answer.headers["etag"] == f'"{digest}"'
    assert http.head(f"/blobs/{digest}").headers["content-length"] == str(len(data))
    other = blake3(b"other").hexdigest()
    answer = http.post("/blobs/missing", json={"digests": [digest, other]})
    assert answer.json() == {"missing": [other]}


def test_many_small_blobs_are_put_at_once(http):
    blobs = [
        b"",
        b"one",
        b"two" * 1000,
        b"x" * 2**20,
        *(b"%d" % i for i in range(300)),
        b"y" * 2**20,
    ]
    body = b"".join(part for data in blobs for part in (len(data).to_bytes(8, "big"), data))
    told = http.post("/blobs", content=body)
    assert told.json()["digests"] == [blake3(data).hexdigest() for data in blobs]
    assert http.get(f"/blobs/{told.json()['digests'][1]}").content == b"one"
    assert "in the middle" in problem_of(http.post("/blobs", content=body[:-1]), 400)["detail"]
    assert "in the middle" in problem_of(http.post("/blobs", content=b"abc"), 400)["detail"]
    large = (2**20 + 1).to_bytes(8, "big") + b"z"
    assert "too large" in problem_of(http.post("/blobs", content=large), 400)["detail"]


def test_a_large_blob_that_was_damaged_is_named_instead_of_sent(client, http, stored):
    digest = stored(b"y" * 5_000_000)
    path = client.link.settings.data_dir / "blobs" / digest[:2] / digest
    path.write_bytes(path.read_bytes()[:-1] + b"z")
    told = problem_of(http.get(f"/blobs/{digest}"), 500)
    assert told["code"] == "blob.damaged"
    assert str(path) in told["detail"]


def test_an_empty_blob_is_a_blob(http, stored):
    assert http.get(f"/blobs/{stored(b'')}").content == b""


def test_bytes_under_a_wrong_digest_are_refused(http):
    wrong = blake3(b"something else").hexdigest()
    assert problem_of(http.put(f"/blobs/{wrong}", content=b"x"), 400)["code"] == "request.invalid"
    assert problem_of(http.get(f"/blobs/{wrong}"), 404)["code"] == "blob.missing"
    assert "no digest" in problem_of(http.put("/blobs/abc", content=b"x"), 400)["detail"]


def test_a_caller_who_leaves_in_the_middle_of_a_blob_leaves_nothing(client, http, caplog):
    data = b"x" * 3_000_000
    digest = blake3(data).hexdigest()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(read_card(client.link.settings.data_dir).socket)
        head = f"PUT /api/v1/blobs/{digest} HTTP/1.1\r\ncontent-length: {len(data)}\r\n\r\n"
        caller.sendall(head.encode() + data[:2_000_000])
    problem_of(http.get(f"/blobs/{digest}"), 404)
    assert http.get("/health").status_code == 200
    assert caplog.records == []


def test_a_snapshot_is_kept_once_all_its_files_are_there(http, stored):
    content = b"x = 1\n"
    files = {"a.py": [blake3(content).hexdigest(), len(content), 0o644]}
    told = http.post("/snapshots", json={"files": files}).json()
    assert told == {"digest": None, "missing": [files["a.py"][0]]}
    stored(content)
    told = http.post("/snapshots", json={"files": files}).json()
    assert told["missing"] == []
    manifest = http.get(f"/blobs/{told['digest']}").content
    assert json.loads(manifest) == {"files": files}


def test_a_known_snapshot_need_not_be_sent_again(http, stored):
    content = b"y = 1\n"
    files = {"b.py": [stored(content), len(content), 0o644]}
    links = {"data/large.csv": ["/data/large.csv", 10, 20]}
    manifest = json.dumps({"files": files, "links": links}, sort_keys=True, separators=(",", ":"))
    digest = blake3(manifest.encode()).hexdigest()
    assert http.post(f"/snapshots/{digest}").json() == {"known": False}
    told = http.post("/snapshots", content=manifest).json()
    assert told == {"digest": digest, "missing": []}
    assert http.post(f"/snapshots/{digest}").json() == {"known": True}
    assert http.get(f"/blobs/{digest}").json()["links"] == links
    assert "no digest" in problem_of(http.post("/snapshots/x"), 400)["detail"]


def test_the_files_of_a_snapshot_that_is_known_are_spared(client, http, stored):
    # Given a snapshot that no job is pinned to, all of it two hours old, asked for just now
    digest = stored(b"z = 1\n")
    files = {"c.py": [digest, 6, 0o644]}
    snapshot = http.post("/snapshots", json={"files": files}).json()["digest"]
    path = client.link.settings.data_dir / "blobs" / digest[:2] / digest
    hours_ago = time.time() - 7200
    assert http.post(f"/snapshots/{snapshot}").json() == {"known": True}
    os.utime(path, (hours_ago, hours_ago))
    # When what nobody refers to is removed
    http.post("/gc", json={})
    # Then it is there still
    assert path.exists()


@pytest.mark.parametrize("entry", [["relative", 1, 1], ["/x", -1, 1], ["/x", 1], "/x"])
def test_a_link_of_a_snapshot_is_checked(http, entry):
    answer = http.post("/snapshots", json={"files": {}, "links": {"a": entry}})
    assert "expected [absolute path" in problem_of(answer, 400)["detail"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.py", "a/../../b.py", ""])
def test_a_snapshot_cannot_lead_out_of_its_folder(http, path):
    digest = blake3(b"").hexdigest()
    answer = http.post("/snapshots", json={"files": {path: [digest, 0, 0o644]}})
    assert "leads out" in problem_of(answer, 400)["detail"]


def test_one_body_holds_so_many_blobs_and_no_more(http):
    assert len(http.post("/blobs", content=bytes(8 * 10)).json()["digests"]) == 10
    answer = http.post("/blobs", content=bytes(8 * 10_001))
    assert "more than 10,000 blobs" in problem_of(answer, 413)["detail"]


@pytest.mark.parametrize(
    ("files", "links", "says"),
    [
        (["a/./b"], [], "expected names"),
        (["a//b"], [], "expected names"),
        (["a/"], [], "expected names"),
        (["a", "a/b/c"], [], "'a' is a file and a folder"),
        (["a/b/c"], ["a/b"], "'a/b' is a file and a folder"),
        (["a"], ["a"], "'a' is a file and a link"),
    ],
)
def test_a_snapshot_that_cannot_be_laid_out_is_refused(http, stored, files, links, says):
    digest = stored(b"")
    told = {
        "files": {path: [digest, 0, 0o644] for path in files},
        "links": {path: ["/etc/hostname", 1, 1] for path in links},
    }
    assert says in problem_of(http.post("/snapshots", json=told), 400)["detail"]


def test_a_call_is_a_job_without_a_run(http):
    body = {"tool": to_wire(STEP), "arguments": {"x": bindings.to_wire(bindings.Value(9))}}
    answer = http.post("/calls", json=body)
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    ended = http.get(f"/jobs/{job['id']}", params={"wait": 30}).json()
    assert ended["run_id"] is None
    assert ended["attempts"][0]["number"] == 1


def test_a_run_is_posted_waited_for_and_looked_into(http):
    submission = a_submission({"a": [], "b": ["a"]})
    answer = http.post("/runs", json=to_wire(submission))
    assert answer.status_code == 201
    run_id = answer.json()["id"]
    assert answer.headers["location"] == f"/api/v1/runs/{run_id}"
    run = http.get(f"/runs/{run_id}", params={"wait": 30}).json()
    assert run["state"] == "failed"  # math has no function called work
    assert [job["step"] for job in run["jobs"]] == ["a", "b"]
    assert run["edges"] == [[run["jobs"][0]["id"], run["jobs"][1]["id"]]]
    short = http.get(f"/runs/{run_id}", params={"jobs": "false"}).json()
    assert "jobs" not in short
    given = http.get(f"/runs/{run_id}", params={"arguments": "true"}).json()["arguments"]
    assert given[run["jobs"][1]["id"]] == {"from_a": ["output", "a", "result"]}
    again = http.post(f"/runs/{run_id}/retry")
    assert again.status_code == 201
    http.get(f"/runs/{again.json()['id']}", params={"wait": 30})
    assert http.delete(f"/runs/{run_id}").status_code == 204
    assert problem_of(http.get(f"/runs/{run_id}"), 404)["code"] == "not_found"


def test_an_output_tells_its_codec_and_media_type(client, http):
    run = client.run(flows.talking, text="well")
    answer = http.get(f"/jobs/{run['announce'].job_id}/outputs/result")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["treadle-codec"] == "json"
    assert answer.json() == "well"


def test_a_log_is_read_in_parts(client, http):
    run = client.run(flows.talking, text="well")
    answer = http.get(f"/jobs/{run['announce'].job_id}/log", params={"offset": 2, "limit": 4})
    assert answer.content == b"ll\nt"
    assert answer.headers["treadle-log-size"] == str(len(b"well\nto stderr\n"))


def test_events_are_sent_with_their_numbers_and_taken_up_again(client, http):
    run = client.run(flows.talking)
    text = http.get(f"/runs/{run.id}/events").text
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    assert [block[0] for block in blocks] == [f"id: {i}" for i in range(1, len(blocks) + 1)]
    assert all(block[1].startswith("data: {") for block in blocks)
    last = http.get(f"/runs/{run.id}/events", headers={"last-event-id": str(len(blocks) - 1)})
    assert last.text.startswith(f"id: {len(blocks)}\n")


@pytest.mark.parametrize(
    "method, path, body, status, says",
    [
        ("GET", "/nothing", None, 404, "There is no GET"),
        ("POST", "/health", None, 405, "There is no POST"),
        ("POST", "/runs", b"{", 400, "not valid JSON"),
        ("POST", "/runs", b"[]", 400, "must be a JSON object"),
        ("POST", "/runs", b'{"pipelin": 1}', 400, "Unknown field 'pipelin'"),
        ("POST", "/runs", b"{}", 400, "'pipeline' is missing"),
        ("GET", "/runs?limit=few", None, 400, "limit='few'"),
        ("GET", "/runs?label=analyst", None, 400, "expected key=value"),
        ("GET", "/runs?stat=failed", None, 400, "no parameter 'stat'"),
        ("GET", "/jobs/job_zzzz", None, 404, "no job"),
        ("POST", "/gc", b'{"retention_days": -1}', 400, "retention_days"),
        ("POST", "/gc", b'{"dry_run": "yes"}', 400, "dry_run"),
    ],
)
def test_a_mistake_is_answered_by_a_problem_that_names_it(http, method, path, body, status, says):
    assert says in problem_of(http.request(method, path, content=body), status)["detail"]


def test_a_misspelt_field_gets_a_hint(http):
    document = problem_of(http.post("/runs", json={"pipelin": 1}), 400)
    assert document["hint"] == "Did you mean 'pipeline'?"


def test_a_body_over_the_limit_is_refused(http):
    body = b'{"x": "' + b"x" * 1_000_001 + b'"}'
    assert problem_of(http.post("/runs", content=body), 413)["code"] == "too_large"
    # whether its length is announced or not
    assert problem_of(http.post("/runs", content=iter([body])), 413)["code"] == "too_large"


def test_an_unknown_code_blob_is_named_at_submit(http):
    missing = Code(kind="value", digest="ab" * 32, entry="f")
    submission = a_submission({"a": []})
    tool = {**to_wire(submission)["pipeline"]["tools"][0], "code": to_wire(missing)}
    wire = to_wire(submission)
    wire["pipeline"]["tools"] = [tool]
    assert problem_of(http.post("/runs", json=wire), 404)["code"] == "blob.missing"


def test_a_cycle_is_refused_as_it_is(http):
    wire = to_wire(a_submission({"a": ["b"], "b": ["a"]}))
    assert "circle" in problem_of(http.post("/runs", json=wire), 422)["detail"]
