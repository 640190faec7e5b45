"""What a server tells about itself: its figures for Prometheus, and its health."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from commands import submit
from serving import running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("up") / "state", "--slots", "2") as server:
        yield server


@pytest.fixture
def http(server):
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as http:
        yield http


def figures(http):
    """{name: {labels: value}}, as Prometheus reads them."""
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_figures_tell_of_runs_jobs_requests_and_the_process(http):
    # Given
    before = figures(http)
    run_id = submit(http, "true")
    assert http.get(f"/api/v1/runs/{run_id}", params={"wait": 60}).json()["state"] == "completed"

    # When
    found = figures(http)

    # Then
    ended = "treadle_runs_ended_total"
    assert found[ended][("completed",)] == before[ended][("completed",)] + 1
    assert found["treadle_jobs_ended_total"][("completed",)] >= 1
    assert found["treadle_job_seconds_count"][()] >= 1
    assert found["treadle_requests_total"][("post_run", "201")] >= 1
    assert found["treadle_request_seconds_count"][("post_run",)] >= 1
    assert found["treadle_received_bytes_total"][("post_run",)] > 100
    assert found["treadle_slots"][()] == 2
    assert found["treadle_ready"][()] == 1
    assert found["treadle_ledger_bytes"][()] > 10_000
    assert found["process_resident_memory_bytes"][()] > 10_000_000


def test_figures_tell_what_runs_and_who_waits(http, tmp_path):
    # Given
    go = tmp_path / "go"
    waiting = ("sh", "-c", f"until [ -e {go} ]; do sleep 0.05; done")
    runs = [submit(http, *waiting) for _ in range(5)]
    while http.get("/api/v1/health").json()["slots"]["busy"] < 2:
        pass

    # When
    found = figures(http)
    go.touch()
    for run_id in runs:
        http.get(f"/api/v1/runs/{run_id}", params={"wait": 60})

    # Then
    jobs = found["treadle_jobs"]
    assert jobs[("preparing",)] + jobs[("running",)] == 2
    assert found["treadle_queued_jobs"] == {("owner",): 3}
    assert found["treadle_jobs_unended"][()] == 5
    assert figures(http)["treadle_jobs_unended"][()] == 0


def test_a_refused_request_is_counted_under_its_operation_alone(server, http):
    for path in ("/api/v1/runs", "/api/v1/nothing/a", "/api/v1/nothing/b"):
        httpx.get(f"{server.url}{path}")

    requests = figures(http)["treadle_requests_total"]

    assert requests[("list_runs", "401")] == 1
    assert {name for name, status in requests if status == "404"} == {"none"}


def test_figures_need_the_scope_to_read(server):
    assert httpx.get(f"{server.url}/metrics").status_code == 401


def test_whether_it_lives_and_takes_work_is_told_to_everybody(server):
    live = httpx.get(f"{server.url}/api/v1/health/live")
    ready = httpx.get(f"{server.url}/api/v1/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "alive"})
    assert parsedate_to_datetime(live.headers["date"]) <= datetime.now(UTC)
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


def test_health_tells_where_since_when_and_how_full(server, http):
    told = http.get("/api/v1/health").json()

    assert told["url"] == server.url
    assert told["uptime_seconds"] > 0
    assert told["queue"] == {"unended_jobs": 0, "limit": 1_000_000}
