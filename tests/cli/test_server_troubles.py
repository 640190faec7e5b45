"""What goes wrong between a command and its server: each says what, and what to do."""

import contextlib
import http.server
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import pytest
from terminal import terminal
from test_run import read_until

from cli.conftest import Treadle
from cli.served import Remote, marked_server, remote_of
from serving import Server, start_server, stop_server
from treadle.cli.signals import SAME_SECONDS
from treadle.client import Client
from treadle.model.states import JobState


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with marked_server(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture
def remote(treadle: Treadle, server: Server) -> Remote:
    return remote_of(treadle, server)


def token(remote: Remote, name: str, *options: str) -> str:
    """The text of a new token."""
    return str(remote.json("token", "create", name, *options)["text"])


# who asks


def test_without_a_token_the_way_to_one_is_named(remote: Remote) -> None:
    done = remote.using(TREADLE_TOKEN="").all("ps", code=2)
    assert "token" in done.stderr
    assert "treadle login" in done.stderr


def test_a_token_that_is_not_known_is_refused(remote: Remote) -> None:
    wrong = remote.using(TREADLE_TOKEN="trd_0000000000000000_nothing")
    assert wrong.json("ps", code=2)["error"]["code"] == "unauthorized"
    assert wrong.all("run", "pipelines.py:compare", code=2).stdout == ""


def test_a_token_that_was_revoked_is_refused(remote: Remote) -> None:
    analyst = remote.using(TREADLE_TOKEN=token(remote, "revoked-analyst", "--scope", "run"))
    analyst("ps")
    remote("token", "revoke", "revoked-analyst")
    assert analyst.json("ps", code=2)["error"]["code"] == "unauthorized"


def test_a_token_that_has_expired_is_refused_and_that_is_said(remote: Remote) -> None:
    short = remote.using(
        TREADLE_TOKEN=token(remote, "short", "--scope", "run", "--expires", "10ms")
    )
    wait_until(datetime.now(UTC) + timedelta(milliseconds=50))
    done = short.all("ps", code=2)
    assert "expired" in done.stderr


def wait_until(moment: datetime) -> None:
    while datetime.now(UTC) < moment:
        psutil.Process().cpu_percent(interval=0.01)


def test_a_token_that_may_only_read_runs_nothing(remote: Remote) -> None:
    reader = remote.using(TREADLE_TOKEN=token(remote, "reader", "--scope", "read"))
    reader("ps")
    done = reader.all("run", "pipelines.py:compare", code=2)
    assert "it needs the scope 'data'" in done.stderr
    assert "Ask who runs the server" in done.stderr
    assert "--scope run" in done.stderr
    assert reader.json("abort", "@last", code=2)["error"]["code"] in ("forbidden", "not_found")


def test_a_token_is_kept_by_login_and_forgotten_by_logout(remote: Remote, server: Server) -> None:
    # Given a person with a token of their own, and no other
    text = token(remote, "grace", "--scope", "run")
    grace = remote.using(TREADLE_TOKEN="")

    # When they log in with it
    said = grace.given(f"{text}\n", "login", server.url, "--token", "-")

    # Then commands find it
    assert f"Logged in to {server.url} as grace;" in said
    assert text not in said
    told = grace.json("run", "pipelines.py:compare")
    assert told["run"]["user"] == "grace"
    # until they log out
    assert "forgotten" in grace("logout", server.url)
    assert grace.json("ps", code=2)["error"]["code"] == "unauthorized"
    assert "There is no token" in grace.all("logout", server.url, code=2).stderr


def test_login_keeps_no_token_that_the_server_refuses(remote: Remote, server: Server) -> None:
    done = remote.using(TREADLE_TOKEN="").all("login", server.url, code=2)
    assert "There is no terminal to ask for the token." in done.stderr
    assert f"treadle login {server.url} --token - < FILE" in done.stderr
    done = remote.all("login", server.url, "--token", "trd_abc_def", code=2)
    assert "can be seen by everybody" in done.stderr
    with terminal(remote, "login", server.url) as screen:
        screen.read_until("Token for")
        screen.press(b"trd_0000000000000000_wrong\n")
        assert screen.end() == 2
        assert "wrong" not in screen.text.partition("error")[0]
    assert not (remote.folder / "config").exists()


# who answers


def test_a_server_that_is_not_there_is_named_with_the_next_step(remote: Remote) -> None:
    with socket.socket() as taken:  # bound, not listening: refused
        taken.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = remote.using(TREADLE_SERVER=gone).all("ps", code=3)
    assert f"The server at {gone} cannot be reached" in done.stderr
    assert "treadle up" in done.stderr


@contextlib.contextmanager
def other_server() -> Iterator[str]:
    """Something else that speaks HTTP."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    serving = threading.Thread(target=made.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}"
    finally:
        made.shutdown()
        serving.join()
        made.server_close()


def test_what_is_no_treadle_server_is_said_to_be_none(remote: Remote) -> None:
    with other_server() as url:
        done = remote.using(TREADLE_SERVER=url).all("ps", code=None)
        examined = remote.using(TREADLE_SERVER=url).json("doctor", code=1)
    assert done.returncode in (2, 3)
    assert url in done.stderr
    assert "Traceback" not in done.stderr
    assert "no Treadle" in str(examined)


def test_what_is_no_address_is_a_mistake(remote: Remote) -> None:
    done = remote.all("ps", "--server", "box:8470", code=2)
    assert "http" in done.stderr


# stopping


def abandoned(remote: Remote, mark: str) -> str:
    """The id of the only run that waits for the mark."""
    (found,) = [
        run["id"]
        for run in remote.json("ps", "--state", "running,aborting")["runs"]
        if run["parameters"].get("mark") == mark
    ]
    return str(found)


def test_ctrl_c_aborts_the_run_of_the_server(remote: Remote) -> None:
    process = remote.begin("run", "pipelines.py:patient", "-p", "mark=never-1")
    read_until(process, "waiting")
    run_id = abandoned(remote, "never-1")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert process.stdout is not None
    assert b"Ctrl-C again leaves the rest to the server" in process.stdout.read()
    assert remote.json("show", run_id)["run"]["state"] == "aborted"


def test_ctrl_c_while_the_file_is_loaded_frees_the_slot(remote: Remote) -> None:
    (remote.folder / "endless.py").write_text(
        "import pathlib, time\n"
        f"pathlib.Path({str(remote.folder / 'loading')!r}).touch()\n"
        "time.sleep(600)\n"
    )
    process = remote.begin("run", "endless.py")
    while not (remote.folder / "loading").exists():
        assert process.poll() is None
        psutil.Process().cpu_percent(interval=0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert remote.server is not None
    with Client(remote.server.url, remote.server.token) as client:
        (loader,), _ = client.door(lambda api: api.jobs(limit=1))
        ended = client.door(lambda api: api.job_ended(loader.id))
    assert ended.job.state is JobState.ABORTED


def test_a_second_ctrl_c_leaves_the_run_to_the_server(remote: Remote) -> None:
    process = remote.begin("run", "pipelines.py:stubborn")
    read_until(process, "waiting")
    process.send_signal(signal.SIGINT)
    read_until(process, "aborting")
    psutil.Process().cpu_percent(interval=2 * SAME_SECONDS)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    (run,) = [r for r in remote.json("ps")["runs"] if r["pipeline"] == "stubborn"]
    assert remote.json("wait", run["id"], code=130)["runs"][0]["state"] == "aborted"


def test_a_run_of_the_server_is_drawn_live_on_a_terminal(remote: Remote) -> None:
    with terminal(remote, "run", "pipelines.py:compare") as screen:
        assert screen.end() == 0
        assert "\x1b[?25l" in screen.raw
        assert "load | loading wine" in screen.text
        last = screen.text[screen.text.rindex("compare  completed") :]
        assert last.count("✓") == 5
        assert "accuracy=0.928" in last


def test_a_closed_terminal_leaves_the_run_going(remote: Remote) -> None:
    # Given a run of the server, followed on a terminal
    with terminal(remote, "run", "pipelines.py:patient", "-p", "mark=closed") as screen:
        screen.read_until("wait_for | waiting")
        # When the terminal's window is closed
        screen.hang_up()
        assert screen.process.wait(30) == 129
    # Then the run goes on, to its end
    run_id = abandoned(remote, "closed")
    remote.mark("closed")
    assert remote("wait", run_id) == f"{run_id}  completed\n"


def test_an_interrupted_wait_leaves_the_run_going(remote: Remote) -> None:
    run_id = remote.json("run", "pipelines.py:patient", "-p", "mark=waited", "--detach")["run"][
        "id"
    ]
    waiting = remote.begin("wait", run_id)
    following = remote.begin("logs", "-f", run_id)
    read_until(following, "waiting")
    for process in (waiting, following):
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert remote.json("show", run_id)["run"]["state"] == "running"
    remote.mark("waited")
    remote("wait", run_id)


def test_a_server_that_is_started_again_is_found_again_and_the_view_goes_on(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run that is followed on a server of its own
    monkeypatch.setenv("TEST_MARKS", str(remote.folder))
    first = start_server(remote.folder / "state", "--slots", "1", STOP_GRACE="100ms")
    try:
        here = remote.using(TREADLE_SERVER=first.url, TREADLE_TOKEN=first.token)
        process = here.begin("run", "pipelines.py:patient", "-p", "mark=again")
        read_until(process, "waiting")
    finally:
        stop_server(first)

    # When the server has stopped and is there again
    read_until(process, "is lost; trying again")
    second = start_server(
        remote.folder / "state", "--slots", "1", "--port", str(httpx.URL(first.url).port)
    )
    try:
        (remote.folder / "again").touch()
        # Then the command shows the run to its end
        said = read_until(process, "patient completed")
        assert process.wait(30) == 0
    finally:
        stop_server(second)
    assert "is back" in said
