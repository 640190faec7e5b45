"""Jobs over HTTP: lists, what they left behind, searching their logs, and their reports."""

import os

import pytest

import flows
from samples import a_tool
from treadle.model.records import Code
from treadle.model.wire import to_wire


def call(http, entry="math:sqrt", **arguments):
    """Begin a job without a run; its id."""
    name = entry.partition(":")[2]
    tool = a_tool(name, code=Code(kind="snapshot", digest="", entry=entry))
    wire = {key: ["value", value] for key, value in arguments.items()}
    answer = http.post("/calls", json={"tool": to_wire(tool), "arguments": wire})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def ended(http, job_id):
    return http.get(f"/jobs/{job_id}", params={"wait": 30}).json()


def every(http, path, plural, **params):
    """All entries, page by page."""
    found, following = [], None
    while True:
        page = http.get(path, params={**params, "before": following or ""}).json()
        found += page[plural]
        following = page["next"]
        if following is None:
            return found


@pytest.fixture(scope="module")
def talked(client, http):
    """A job that printed many lines."""
    run = client.run(flows.chattering, lines=300).wait()
    return http.get(f"/runs/{run.id}").json()["jobs"][0]["id"]


def test_calls_are_listed_newest_first_in_pages(http):
    job_ids = [call(http, x=x) for x in (1.0, -1.0, 4.0)]
    states = [ended(http, job_id)["state"] for job_id in job_ids]
    assert states == ["completed", "failed", "completed"]
    first = http.get("/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first["jobs"]] == job_ids[:0:-1]
    assert all(job["run_id"] is None for job in every(http, "/jobs", "jobs", limit=1))
    failed = http.get("/jobs", params={"state": "failed", "limit": 1}).json()["jobs"]
    assert [job["id"] for job in failed] == [job_ids[1]]
    assert every(http, "/jobs", "jobs", state="failed,completed", user="nobody") == []


def test_a_page_of_calls_leads_on_where_few_fit(http, monkeypatch):
    job_ids = [call(http, x=x) for x in (-1.0, 1.0, 4.0, 9.0)]
    for job_id in job_ids:
        ended(http, job_id)
    monkeypatch.setattr("treadle.storage.ledger.lists.LOOKED_AT", 1)
    monkeypatch.setattr("treadle.api.http.jobs_list.MOST_LOOKS", 2)
    page = http.get("/jobs", params={"state": "failed"}).json()
    assert page["jobs"] == []
    page = http.get("/jobs", params={"state": "failed", "before": page["next"]}).json()
    assert [job["id"] for job in page["jobs"]] == [job_ids[0]]


def test_the_jobs_of_a_run_are_listed_in_the_order_of_its_steps(client, http):
    run = client.run(flows.sums).wait()
    jobs = http.get(f"/runs/{run.id}").json()["jobs"]
    found = every(http, "/jobs", "jobs", run=run.id, limit=1)
    assert found == jobs
    assert every(http, "/jobs", "jobs", run=run.id[:-2], state="failed") == []
    assert http.get("/jobs", params={"run": "run_nothing"}).status_code == 404
    cursor = http.get("/jobs", params={"run": run.id, "limit": 1}).json()["next"]
    assert http.get("/jobs", params={"before": cursor}).status_code == 400


def test_a_job_tells_its_tool_and_what_it_was_given(http):
    job = ended(http, call(http, x=9.0))
    assert (job["tool"]["name"], job["tool"]["kind"]) == ("sqrt", "function")
    assert "arguments" not in job
    told = http.get(f"/jobs/{job['id']}", params={"arguments": "true"}).json()
    assert told["arguments"] == {"x": ["value", 9.0]}


def test_a_call_is_aborted_and_a_job_of_a_run_is_not(client, http, tmp_path):
    job_id = call(http, "subprocess:call", args=["sleep", "600"])
    told = http.post(f"/jobs/{job_id}/abort", json={"grace_seconds": 0})
    assert told.status_code == 200
    assert told.json()["state"] in ("aborting", "aborted")
    assert ended(http, job_id)["state"] == "aborted"
    assert http.post(f"/jobs/{job_id}/abort").status_code == 409
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    run = client.submit(flows.holding, gate=str(gate))
    next(iter(run.logs("hold", follow=True)))
    held = http.get(f"/runs/{run.id}").json()["jobs"][0]
    refused = http.post(f"/jobs/{held['id']}/abort")
    assert run.id in refused.json()["hint"]
    gate.write_text("go")
    run.wait()


def test_metrics_of_a_job_come_in_pages(client, http):
    run = client.run(flows.measuring, value=0.5).wait()
    job_id = run["measure"].job_id
    found = every(http, f"/jobs/{job_id}/metrics", "metrics", limit=1)
    assert [(m["name"], m["value"], m["step"]) for m in found] == [
        ("loss", 0.5, 1),
        ("loss", "inf", 2),
    ]
    assert every(http, f"/jobs/{job_id}/metrics", "metrics", name="other") == []
    assert http.get("/jobs/job_zzzz/metrics").status_code == 404


def test_outputs_of_a_job_are_listed_with_their_types(client, http):
    run = client.run(flows.talking, text="well").wait()
    page = http.get(f"/jobs/{run['announce'].job_id}/outputs").json()
    (output,) = page["outputs"]
    assert (output["name"], output["media_type"]) == ("result", "application/json")
    assert output["size_bytes"] == len(b'"well"')
    assert page["next"] is None


def test_the_tail_of_a_log_says_where_it_begins(http, talked):
    whole = http.get(f"/jobs/{talked}/log").content
    answer = http.get(f"/jobs/{talked}/log", params={"tail": 3})
    assert answer.content == b"".join(whole.splitlines(keepends=True)[-3:])
    assert int(answer.headers["treadle-log-offset"]) == len(whole) - len(answer.content)
    assert http.get(f"/jobs/{talked}/log", params={"tail": 0}).content == b""
    followed = http.get(f"/jobs/{talked}/log", params={"tail": 1, "follow": "true"})
    assert followed.content == whole.splitlines(keepends=True)[-1]
    both = http.get(f"/jobs/{talked}/log", params={"tail": 1, "offset": 1})
    assert both.status_code == 400


@pytest.mark.parametrize("piece_bytes", [64, 256 * 1024])
def test_a_log_is_searched_line_by_line(http, talked, piece_bytes, monkeypatch):
    monkeypatch.setattr("treadle.api.http.log_search.PIECE_BYTES", piece_bytes)
    whole = http.get(f"/jobs/{talked}/log").content
    lines = whole.decode().splitlines()
    expected = [(n, line) for n, line in enumerate(lines, 1) if " 7" in line]
    found = every(http, f"/jobs/{talked}/log/search", "lines", text=" 7", limit=3)
    assert [(each["line"], each["text"]) for each in found] == expected
    for each in found:
        assert whole[each["offset"] :].decode().startswith(each["text"])


def test_a_search_may_disregard_capital_letters(http, talked):
    path = f"/jobs/{talked}/log/search"
    assert every(http, path, "lines", text="GRÜEZI") == []
    found = every(http, path, "lines", text="GRÜEZI 29", ignore_case="true")
    assert len(found) == 11
    assert "grüezi 29 times" in found[0]["text"]


def test_a_line_that_never_ends_is_searched_in_parts(client, http, talked, monkeypatch):
    log_dir = client.link.settings.data_dir / "logs"
    (path,) = log_dir.glob(f"*/{talked}.1.log")
    before = path.read_bytes()
    try:
        path.write_bytes(b"x" * 300_000 + b"needle" + b"y" * 3000 + b"\nneedle\n")
        found = every(http, f"/jobs/{talked}/log/search", "lines", text="needle")
    finally:
        path.write_bytes(before)
    assert [each["line"] for each in found] == [1, 2]
    assert all("needle" in each["text"] and len(each["text"]) <= 2000 for each in found)


def test_a_long_text_beyond_ascii_is_only_searched_for_as_it_stands(http, talked):
    path = f"/jobs/{talked}/log/search"
    asked = {"text": "ü" * 101, "ignore_case": True}
    refused = http.get(path, params=asked)
    assert (refused.status_code, "at most 100" in refused.json()["detail"]) == (400, True)
    assert http.get(path, params=asked | {"ignore_case": False}).status_code == 200
    assert http.get(path, params={"text": "x" * 1000, "ignore_case": True}).status_code == 200


@pytest.mark.parametrize("text", ["", "a\nb", "x" * 1001])
def test_what_cannot_be_searched_for_is_refused(http, talked, text):
    answer = http.get(f"/jobs/{talked}/log/search", params={"text": text})
    assert answer.status_code == 400


def test_a_report_is_one_document(client, http):
    run = client.run(flows.measuring, value=0.5).wait()
    job_id = run["measure"].job_id
    report = http.get(f"/jobs/{job_id}/report").json()
    assert report["job"] == http.get(f"/jobs/{job_id}", params={"arguments": "true"}).json()
    assert [(each["name"], each["value"]) for each in report["metrics"]] == [("loss", "inf")]
    assert report["log"] == {"attempt": 1, "size_bytes": 0, "offset": 0, "tail": ""}


def test_a_report_is_a_web_page_for_browsers_in_which_nothing_acts(client, http):
    evil = "<script>alert(1)</script>"
    failed = call(http, "json:loads", s=evil)
    ended(http, failed)
    printed = client.run(flows.talking, text=evil).wait()["announce"].job_id
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for job_id in (failed, printed):
        answer = http.get(f"/jobs/{job_id}/report", headers={"accept": browser})
        assert answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert evil not in answer.text
        assert "&lt;script&gt;alert(1)" in answer.text
    assert "JSONDecodeError" in http.get(f"/jobs/{failed}/report").text


@pytest.mark.parametrize("accept", ["*/*", "application/json, text/html;q=0.5", "text/html;q=x"])
def test_a_report_is_json_for_all_others(http, accept):
    job_id = call(http, x=4.0)
    kind = http.get(f"/jobs/{job_id}/report", headers={"accept": accept}).headers
    assert kind["content-type"] == "application/json"
