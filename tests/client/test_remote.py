"""A server over TCP: what works, and what is said where it does not."""

import http.server
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

import flows
import treadle
from serving import running_server
from treadle.client import Client
from treadle.errors import (
    Conflict,
    InvalidParameters,
    InvalidRequest,
    JobError,
    NotFound,
    TreadleError,
    Unauthorized,
    Unavailable,
    from_wire,
)
from treadle.model.states import RunState


def test_a_run_on_a_server_is_as_one_at_home(remote):
    run = remote.run(flows.sums, start=1)
    assert run.state is RunState.COMPLETED
    assert run.output == {"first": 2, "both": [12, "constant"]}
    assert run["add"].result() == 2
    assert remote.get_run(run.id).id == run.id
    assert b"".join(remote.run(flows.talking).logs()) == b"hello\nto stderr\n"
    assert [m.value for m in remote.run(flows.measuring).metrics()] == [0.5, float("inf")]


def test_a_file_is_run_by_its_path_with_parameters_by_name(remote, tmp_path):
    file = tmp_path / "steps.py"
    file.write_text(
        "from treadle import pipeline, tool\n"
        "@tool\ndef double(n: int) -> int:\n    return 2 * n\n"
        "@pipeline\ndef doubled(n: int = 1, priority: int = 0):\n    return double(n)\n"
        "@pipeline\ndef fixed():\n    return double(21)\n"
    )
    assert remote.run(f"{file}:doubled", n=4, priority=9).output == 8
    assert remote.options(pipeline="fixed").run(file).output == 42
    run = remote.options(priority=5, labels={"who": "analyst"}, group="twos").submit(
        f"{file}:fixed"
    )
    assert run.record.priority == 5
    assert run.wait().record.labels == {"who": "analyst", "group": "twos"}
    assert [found.id for found in remote.runs(label="who=analyst")] == [run.id]
    with pytest.raises(InvalidParameters):
        remote.run(f"{file}:doubled", n="many")
    with pytest.raises(InvalidRequest, match="given by name"):
        remote.run(file, 4)
    with pytest.raises(InvalidRequest, match=r"no option 'prioritty'.*Did you mean 'priority'"):
        remote.options(prioritty=5)
    with pytest.raises(InvalidRequest, match="cannot be run"):
        remote.run(len)


def test_a_failed_step_raises_its_own_error(remote):
    with pytest.raises(JobError, match="raise ValueError"):
        remote.run(flows.failing).raise_for_failure()


def test_the_server_is_found_by_its_data_directory_and_by_its_address(server, monkeypatch):
    # Given nothing but the data directory: over the owner's socket
    monkeypatch.setenv("TREADLE_DATA_DIR", str(server.data_dir))
    with treadle.connect() as found:
        home = found.run(flows.sums)
        output = home.output
        assert not found.link.is_owner
    # The address of one's own server: its token is in the data directory
    with treadle.connect(server.url) as found:
        assert found.get_run(home.id).output == output
    # The setting `server`, for pipelines that are run by themselves, too
    monkeypatch.setenv("TREADLE_SERVER", server.url)
    with treadle.connect() as found:
        assert repr(found) == f"<treadle client of the server at {server.url}>"


def test_a_pipeline_of_a_script_runs_on_the_server_of_the_settings(server, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from treadle import pipeline, tool\n"
        "@tool\ndef one() -> int:\n    return 1\n"
        "@pipeline\ndef ones():\n    return one()\n"
        "print(ones.run().id)\n"
    )
    environment = os.environ | {
        "TREADLE_SERVER": server.url,
        "TREADLE_TOKEN": server.token,
        "TREADLE_DATA_DIR": str(tmp_path / "unused"),
    }
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    with Client(server.url, server.token) as client:
        assert client.get_run(done.stdout.strip()).output == 1
    assert not (tmp_path / "unused").exists()


def test_without_a_server_the_next_step_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TREADLE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("TREADLE_SERVER", raising=False)
    with pytest.raises(Unavailable, match=r"treadle up.*treadle\.local\(\)"):
        treadle.connect()


@pytest.mark.parametrize(
    "url, says",
    [
        ("box:8470", "Did you mean https://box:8470"),
        ("127.0.0.1:8470", "Did you mean http://127.0.0.1:8470"),
        ("ftp://box", "neither http:// nor https://"),
        ("http://box:8470/api/v1", "Leave the rest out: http://box:8470"),
        ("http://box:99999", "Port out of range"),
        ("https://secret@box", "a token has no place"),
        ("", "neither http://"),
    ],
)
def test_what_is_no_address_is_refused_with_the_right_form(url, says):
    with pytest.raises(InvalidRequest, match=says) as error:
        Client(url)
    assert "secret" not in str(error.value)


def test_nobody_there_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unavailable, match=r"cannot be reached.*refused.*treadle up"):
        treadle.connect(url, "x")


@pytest.fixture
def stranger():
    """A web server that is none of ours."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(301 if "moved" in self.path else 200)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_):
            pass

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=served.serve_forever).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def test_a_server_that_is_none_of_ours_is_told_apart(stranger):
    with pytest.raises(Unavailable, match="is no Treadle server: it answered 200 with '<html>"):
        treadle.connect(stranger, "x")


def test_what_does_not_speak_tls_is_told_apart(server):
    with pytest.raises(Unavailable, match=r"does not speak TLS\. Is it http://"):
        treadle.connect(server.url.replace("http://", "https://"), server.token)


def test_a_wrong_token_is_refused_at_once(server, monkeypatch):
    with Client(server.url, "trd_nobody_nothing") as client:
        client.link.on_notice = lambda text: pytest.fail(text)
        with pytest.raises(Unauthorized, match="TREADLE_TOKEN"):
            client.health()
    with pytest.raises(Unauthorized, match="would begin with trd_"):
        treadle.connect(server.url, "secret")
    with pytest.raises(Unauthorized):
        treadle.connect(server.url, "trd_nobody_nothing")


def test_a_time_without_its_zone_is_refused_and_the_right_form_named(remote):
    with pytest.raises(InvalidRequest, match=r"datetime\.now\(UTC\)"):
        remote.events(since=datetime(2026, 1, 1), follow=False)  # noqa: DTZ001 - on purpose
    with pytest.raises(InvalidRequest, match=r"datetime\.now\(UTC\)"):
        remote.runs(since=datetime(2026, 1, 1))  # noqa: DTZ001 - as above


def test_errors_carry_the_servers_code_and_sentence(remote):
    with pytest.raises(NotFound) as error:
        remote.get_run("run_00000000000000000a")
    assert error.value.code == "not_found"
    run = remote.run(flows.sums)
    with pytest.raises(Conflict, match="already ended"):
        remote.abort(run.id)


def test_a_code_of_a_newer_server_is_kept():
    error = from_wire("quota.spent", "Nothing left.", "Buy more.", {"left": 0})
    assert type(error) is TreadleError
    assert (error.code, str(error), error.details) == (
        "quota.spent",
        "Nothing left. Buy more.",
        {"left": 0},
    )
    assert TreadleError.code == "treadle.error"


def test_many_threads_may_share_a_client_and_many_clients_a_server(server):
    def work(number):
        with Client(server.url, server.token) as own:
            return own.run(flows.sums, start=number).output["first"]

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(work, range(10))) == list(range(1, 11))
    with Client(server.url, server.token) as shared, ThreadPoolExecutor(10) as pool:
        outputs = pool.map(lambda n: shared.run(flows.sums, start=n).output["first"], range(10))
        assert sorted(outputs) == list(range(1, 11))


def test_closing_again_is_harmless_and_using_what_is_closed_is_refused(server):
    client = Client(server.url, server.token)
    run = client.run(flows.sums)
    client.close()
    client.close()
    with pytest.raises(Unavailable, match="closed"):
        client.health()
    assert run.state is RunState.COMPLETED  # which was known
    with pytest.raises(Unavailable, match="closed"):
        run.metrics()


def test_a_forked_child_leaves_the_parents_connection_alone(remote):
    run = remote.run(flows.sums)
    child = os.fork()
    if child == 0:
        remote.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert remote.get_run(run.id).state is RunState.COMPLETED


def test_loopback_never_goes_through_a_proxy(server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Client(server.url, server.token) as client:
        assert client.health()["status"] == "ok"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of one's own for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    options = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *options], check=True, capture_output=True)
    return certificate, key


def test_a_certificate_of_ones_own_is_trusted_when_it_is_named(certificate, tmp_path, monkeypatch):
    file, key = certificate
    options = ["--tls-certificate", str(file), "--tls-key", str(key)]
    with running_server(tmp_path / "state", *options) as server:
        assert server.url.startswith("https://")
        with pytest.raises(Unavailable, match=r"not to be trusted: self.signed.*TREADLE_CA"):
            treadle.connect(server.url, server.token)
        with treadle.connect(server.url, server.token, ca_certificate=file) as client:
            assert client.run(flows.sums).output["first"] == 2
        monkeypatch.setenv("TREADLE_CA", str(file))
        with treadle.connect(server.url, server.token) as client:
            assert client.health()["status"] == "ok"
            port = server.url.rpartition(":")[2]
            with pytest.raises(Unavailable, match=r"mismatch.*by a name that its certificate has"):
                treadle.connect(f"https://localhost:{port}", server.token)
        with pytest.raises(Unavailable, match=rf"Then it is https://127.0.0.1:{port}"):
            treadle.connect(f"http://127.0.0.1:{port}", server.token)
        with pytest.raises(InvalidRequest, match="holds no certificate"):
            Client(server.url, server.token, ca_certificate=tmp_path / "none.pem")
