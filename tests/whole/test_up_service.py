"""A server as a service: what systemd is told, the unit that starts it, and its log."""

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from commands import state_of, submit
from serving import PATIENCE_SECONDS, running_server

UNIT = Path(__file__).parents[2] / "deploy" / "treadle.service"


@pytest.fixture
def listener(tmp_path):
    """What systemd is to a service: a datagram socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENCE_SECONDS)
        yield listening


def told(listener):
    """The next message, as {name: value}."""
    return dict(line.split("=", 1) for line in listener.recv(4096).decode().splitlines())


@pytest.fixture
def asked_by_systemd(monkeypatch, listener):
    monkeypatch.setenv("NOTIFY_SOCKET", listener.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "300000")


@pytest.mark.usefixtures("asked_by_systemd")
def test_systemd_is_told_when_it_is_ready_lives_and_stops(listener, tmp_path):
    with running_server(tmp_path / "state") as server:
        ready = told(listener)
        alive = [told(listener) for _ in range(3)]

        server.process.terminate()
        said = told(listener)
        while said == {"WATCHDOG": "1"}:
            said = told(listener)

    assert ready == {"READY": "1", "STATUS": f"serves {server.url}"}
    assert alive == [{"WATCHDOG": "1"}] * 3
    assert said["STOPPING"] == "1"


@pytest.mark.usefixtures("asked_by_systemd")
def test_jobs_know_nothing_of_the_socket_that_is_the_servers(tmp_path):
    found = tmp_path / "environment"
    with running_server(tmp_path / "state") as server:
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as http:
            run_id = submit(http, "sh", "-c", f"env > {found}")
            assert state_of(http, run_id, wait=60) == "completed"

    assert "NOTIFY_SOCKET" not in found.read_text()
    assert "WATCHDOG" not in found.read_text()


def test_a_socket_that_nobody_reads_keeps_no_server_from_starting(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))

    with running_server(tmp_path / "state") as server:
        assert httpx.get(f"{server.url}/api/v1/health/ready").status_code == 200


def test_the_unit_says_what_systemd_understands(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze here")
    unit = tmp_path / "treadle.service"
    unit.write_text(UNIT.read_text().replace("/opt/treadle/bin/treadle", "/bin/true"))

    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (found.returncode, found.stderr.strip()) == (0, "")


def test_systemd_waits_for_longer_than_jobs_may_take_to_finish():
    unit = UNIT.read_text()

    grace = int(re.search(r"TREADLE_STOP_GRACE=(\d+)s", unit)[1])
    patience = int(re.search(r"TimeoutStopSec=(\d+)s", unit)[1])

    assert patience > grace


def records(server):
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def test_the_log_can_be_read_by_programs(tmp_path):
    # When
    with running_server(tmp_path / "state", "--log-format", "json") as server:
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as http:
            good = submit(http, "true")
            bad = submit(http, "no-such-program")
            state_of(http, good, wait=60)
            state_of(http, bad, wait=60)
            http.get("/api/v1/runs")
        httpx.get(f"{server.url}/api/v1/runs")

    # Then
    found = records(server)
    assert {*found[0]} >= {"time", "level", "logger", "message"}
    assert found[0]["message"] == f"serving {server.data_dir} at {server.url}"
    assert found[-1]["message"] == "stopped"
    moves = [(each["message"], each["run"]) for each in found if each["logger"] == "treadle.moves"]
    assert [what for what, run in moves if run == good] == [
        "job command started",
        "job command completed",
        "run of commands completed",
    ]
    assert ("job command failed: user", bad) in moves
    assert all(each["user"] == "owner" for each in found if each["logger"] == "treadle.moves")
    assert all("job" in each for each in found if each["message"].startswith("job "))
    access = [each for each in found if each["logger"] == "treadle.access"]
    assert [each["operation"] for each in access] == ["post_run", "post_run", "list_runs"]
    assert access[0]["address"] == "127.0.0.1"
    assert access[0]["ms"] > 0
    assert access[-1]["status"] == 401


def test_on_request_the_log_tells_every_request(tmp_path):
    with running_server(tmp_path / "state", "--log-level", "debug") as server:
        httpx.get(f"{server.url}/api/v1/runs", headers=server.headers)

    assert "GET /api/v1/runs 200" in server.log.read_text()


def test_no_token_is_ever_in_the_log(tmp_path):
    with running_server(tmp_path / "state", "--log-level", "debug") as server:
        secret = server.token.rpartition("_")[2][-20:]
        httpx.get(f"{server.url}/api/v1/runs", headers=server.headers)
        httpx.get(f"{server.url}/api/v1/runs?token={server.token}")
        httpx.get(f"{server.url}/{server.token}")
        httpx.get(f"{server.url}/api/v1/runs/{server.token}", headers=server.headers)
        httpx.get(f"{server.url}/api/v1/runs", headers={"X-Token": server.token})

    said = server.log.read_text()
    assert "GET /trd_owner_" in said
    assert secret not in said


def test_a_path_cannot_forge_a_line_of_the_log(tmp_path):
    with running_server(tmp_path / "state") as server:
        httpx.get(f"{server.url}/a%0A2026-01-01%20INFO%20treadle:%20forged%1b[31m")

    lines = server.log.read_text().splitlines()
    assert len([line for line in lines if "forged" in line]) == 1
    assert not [line for line in lines if line.startswith("2026-01-01")]
    assert "\x1b" not in server.log.read_text()
