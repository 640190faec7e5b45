"""How a server ends: in good order, at once, with its terminal; and what is there afterwards."""

import contextlib
import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time

import httpx
import psutil
import pytest

from commands import a_command, state_of, submit
from serving import PATIENCE_SECONDS, environment, running_server, start_server, stop_server
from treadle.server.signals import SAME_SECONDS

LONG = ("sleep", "600")


@contextlib.contextmanager
def speaking_to(server):
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as http:
        yield http


def until_begun(path):
    """A command that says that it has begun, waits until it may end, and says that it has."""
    return ("sh", "-c", f"touch {path}.begun; until [ -e {path}.go ]; do sleep 0.02; done")


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_words(server, words):
    wait_for(lambda: words in server.log.read_text())


def of_the_tree(server):
    """All processes that the server has started."""
    return psutil.Process(server.process.pid).children(recursive=True)


def test_a_job_that_runs_may_finish_and_nothing_new_begins(tmp_path):
    with running_server(tmp_path / "state", "--slots", "2", STOP_GRACE="60s") as server:
        with speaking_to(server) as http:
            # Given
            running = submit(http, *until_begun(tmp_path / "a"))
            wait_for((tmp_path / "a.begun").exists)

            # When
            server.process.terminate()
            wait_for_words(server, "waiting up to 60s for a job that runs")
            ready = http.get("/api/v1/health/ready")
            late = http.post("/api/v1/runs", content=a_command("true"))
            (tmp_path / "a.go").touch()

        # Then
        assert server.ended() == 0
        assert (ready.status_code, ready.json()["status"]) == (503, "stopping")
        assert late.status_code == 503
        assert late.json()["code"] == "unavailable"
        assert 0 < int(late.headers["retry-after"]) <= 62

    with running_server(tmp_path / "state") as server, speaking_to(server) as http:
        assert state_of(http, running) == "completed"


def test_what_does_not_finish_is_handed_back_free_of_charge(tmp_path):
    # Given
    with running_server(tmp_path / "state", "--slots", "1", STOP_GRACE="200ms") as server:
        with speaking_to(server) as http:
            running = submit(http, *until_begun(tmp_path / "a"))
            queued = submit(http, "true")
            wait_for((tmp_path / "a.begun").exists)
            processes = of_the_tree(server)

        # When
        server.process.terminate()
        assert server.ended() == 0

    # Then
    assert "handing back 1 job" in server.log.read_text()
    assert not [each for each in processes if each.is_running()]
    (tmp_path / "a.go").touch()
    with running_server(tmp_path / "state") as server, speaking_to(server) as http:
        assert state_of(http, running, wait=60) == "completed"
        assert state_of(http, queued, wait=60) == "completed"
        (job,) = http.get(f"/api/v1/runs/{running}").json()["jobs"]
        assert (job["attempt"], job["losses"], job["failures"]) == (2, 0, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_ends_it_at_once_and_in_order(tmp_path, number):
    with running_server(tmp_path / "state", STOP_GRACE="10m") as server:
        with speaking_to(server) as http:
            running = submit(http, *until_begun(tmp_path / "a"))
            wait_for((tmp_path / "a.begun").exists)
        server.process.send_signal(number)
        wait_for_words(server, "waiting up to 600s")
        time.sleep(SAME_SECONDS)  # what comes faster counts as the same

        server.process.send_signal(number)

        assert server.ended() == 0
        assert not (server.data_dir / "owner.sock").exists()
    (tmp_path / "a.go").touch()
    with running_server(tmp_path / "state") as server, speaking_to(server) as http:
        assert state_of(http, running, wait=60) == "completed"


def test_treadle_down_ends_it_and_waits(tmp_path):
    with running_server(tmp_path / "state") as server:
        told = down(server.data_dir, "--json")

        assert told.returncode == 0
        assert json.loads(told.stdout)["stopped"]["pid"] == server.process.pid
        assert server.process.wait(0) == 0
        again = down(server.data_dir)
        assert again.returncode == 3
        assert "treadle up" in again.stderr


def test_treadle_down_now_leaves_running_jobs_to_the_next(tmp_path):
    with running_server(tmp_path / "state", STOP_GRACE="10m") as server:
        with speaking_to(server) as http:
            submit(http, *until_begun(tmp_path / "a"))
            wait_for((tmp_path / "a.begun").exists)

        assert down(server.data_dir, "--now").returncode == 0
        assert server.process.wait(0) == 0


def test_a_card_that_an_owner_left_behind_ends_nobody(tmp_path):
    with running_server(tmp_path / "state") as server:
        server.process.kill()
        server.process.wait()
        bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        card = server.data_dir / "owner.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | {"pid": bystander.pid}))

        told = down(server.data_dir)

        assert told.returncode == 3
        assert bystander.poll() is None
        bystander.communicate(b"\n", timeout=PATIENCE_SECONDS)


def down(data_dir, *options):
    return subprocess.run(
        [sys.executable, "-m", "treadle", "down", "--data-dir", str(data_dir), *options],
        capture_output=True,
        text=True,
        env=environment({}),
        timeout=60,
        check=False,
    )


def test_a_server_whose_terminal_is_closed_ends_in_good_order(tmp_path):
    # Given
    command = [sys.executable, "-m", "treadle", "up", "--json", "--port", "0"]
    ours, its = pty.openpty()
    server = subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "state")],
        stdin=its,
        stdout=its,
        stderr=its,
        env=environment({}),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(its)
    said = b""
    while b'"url"' not in said:
        said += os.read(ours, 4096)
    processes = psutil.Process(server.pid).children(recursive=True)

    # When
    os.close(ours)

    # Then
    assert server.wait(PATIENCE_SECONDS) == 0
    assert not (tmp_path / "state" / "owner.sock").exists()
    assert not [each for each in processes if each.is_running()]


def test_a_follower_goes_on_where_it_was_when_the_server_is_back(tmp_path):
    # Given
    first = start_server(tmp_path / "state", STOP_GRACE="0s")
    port = first.url.rpartition(":")[2]
    seen: list[int] = []
    try:
        with speaking_to(first) as http:
            run_id = submit(http, *until_begun(tmp_path / "a"))
            wait_for((tmp_path / "a.begun").exists)
        follower = threading.Thread(target=follow, args=(first, run_id, seen))
        follower.start()
        wait_for(lambda: len(seen) >= 2)
    finally:
        stop_server(first)

    # When
    (tmp_path / "a.go").touch()
    with running_server(tmp_path / "state", "--port", port) as second:
        follower.join(PATIENCE_SECONDS)

        # Then
        with speaking_to(second) as http:
            assert state_of(http, run_id) == "completed"
    assert not follower.is_alive()
    assert seen == list(range(1, len(seen) + 1))


def follow(server, run_id, seen):
    """Collect the numbers of a run's events until its end, across losses of the connection."""
    url = f"{server.url}/api/v1/runs/{run_id}/events"
    while True:
        last = {"Last-Event-ID": str(seen[-1])} if seen else {}
        try:
            with httpx.stream("GET", url, headers=server.headers | last, timeout=60) as answer:
                for line in answer.iter_lines():
                    if line.startswith("id: "):
                        seen.append(int(line.removeprefix("id: ")))
                if answer.status_code == 200:
                    return
        except httpx.TransportError:
            time.sleep(0.02)


def test_an_upload_under_way_is_taken_before_the_server_ends(tmp_path):
    with running_server(tmp_path / "state") as server:
        asked, go = threading.Event(), threading.Event()

        def parts():
            yield b"first"
            asked.set()
            go.wait(PATIENCE_SECONDS)
            yield b"last"

        answers = []
        with speaking_to(server) as http:
            url = "/api/v1/blobs/e3ea1b9fda9dbb5bd0b9bb83f7bbf92d6e3a0f0b4bbd8b4c15f2ce30b0d7e0aa"
            upload = threading.Thread(target=lambda: answers.append(http.put(url, content=parts())))
            upload.start()
            asked.wait(PATIENCE_SECONDS)
            server.process.terminate()
            go.set()
            upload.join(PATIENCE_SECONDS)

        assert server.ended() == 0
        assert answers[0].status_code in (400, 422)  # it is not what its digest says, and was read
