"""`treadle up` as its user meets it: a process, its words, its door and its end."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from serving import PATIENCE_SECONDS, environment, running_server


def test_a_server_tells_where_it_is_and_answers_who_has_the_token(tmp_path):
    with running_server(tmp_path / "state", "--slots", "3") as server:
        open_to_all = httpx.get(f"{server.url}/api/v1/runs")
        told = httpx.get(f"{server.url}/api/v1/health", headers=server.headers).json()

    assert open_to_all.status_code == 401
    assert told["status"] == "ok"
    assert told["slots"]["total"] == 3


def test_what_asks_for_its_end_ends_it_in_good_order(tmp_path):
    with running_server(tmp_path / "state") as server:
        card = json.loads((server.data_dir / "owner.json").read_text())
        server.process.terminate()

        assert server.ended() == 0
        assert card["url"] == server.url
        assert not (server.data_dir / "owner.sock").exists()


def test_the_module_does_what_the_command_does(tmp_path):
    command = str(Path(sys.executable).parent / "treadle")
    told = [
        subprocess.run(
            [*start, "down", "--json", "--data-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            env=environment({}),
            timeout=60,
            check=False,
        )
        for start in ([command], [sys.executable, "-m", "treadle"])
    ]

    assert told[0].returncode == told[1].returncode == 3
    assert told[0].stdout == told[1].stdout != ""
    assert told[0].stderr == told[1].stderr


def test_rude_callers_are_refused_and_others_do_not_notice(tmp_path):
    with running_server(tmp_path / "state") as server:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        with (
            socket.create_connection(address, 60) as endless,
            socket.create_connection(address, 60) as half,
            socket.create_connection(address, 60) as nonsense,
        ):
            endless.sendall(b"GET / HTTP/1.1\r\nX-Large: " + b"a" * (10 * 2**20) + b"\r\n\r\n")
            half.sendall(b"POST /api/v1/runs HTTP/1.1\r\nContent-Le")
            nonsense.sendall(b"\x00\x01\x02\r\n\r\n")

            assert endless.recv(64).startswith(b"HTTP/1.1 431 ")
            assert nonsense.recv(64).startswith(b"HTTP/1.1 400 ")
            assert httpx.get(f"{server.url}/api/v1/health/ready").status_code == 200


def test_what_is_ready_is_told_on_one_line_for_programs(tmp_path):
    with running_server(tmp_path / "state", "--slots", "2") as server:
        card = json.loads((server.data_dir / "owner.json").read_text())

    assert server.token.startswith("trd_owner_")
    assert card["pid"] == server.process.pid


def test_a_server_whose_log_is_read_by_programs_says_nothing_else_to_them(tmp_path):
    command = [sys.executable, "-m", "treadle", "up", "--port", "0", "--log-format", "json"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "state")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment({}),
    ) as server:
        told = [json.loads(server.stdout.readline())]
        server.terminate()
        told += [json.loads(line) for line in server.stdout]

    assert told[0]["url"].startswith("http://127.0.0.1:")
    assert told[-1]["message"] == "stopped"


def test_a_server_nobody_listens_to_serves_all_the_same(tmp_path):
    command = [sys.executable, "-m", "treadle", "up", "--port", "0", "--data-dir"]
    with subprocess.Popen(
        [*command, str(tmp_path / "state")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({}),
    ) as server:
        try:
            server.stdout.close()
            server.stderr.close()
            card = tmp_path / "state" / "owner.json"
            while not card.exists():
                assert server.poll() is None
                time.sleep(0.02)
            url = json.loads(card.read_text())["url"]

            assert httpx.get(f"{url}/api/v1/health/ready").status_code == 200
            assert httpx.get(f"{url}/api/v1/runs").status_code == 401  # and its line of the log
            assert httpx.get(f"{url}/api/v1/health/ready").status_code == 200
        finally:
            server.terminate()
        assert server.wait(PATIENCE_SECONDS) == 0
