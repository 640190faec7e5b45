"""Completion through a server, asked for as a shell asks; and `treadle doctor` about one."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Treadle
from cli.served import Remote, marked_server, remote_of
from serving import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with marked_server(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture
def remote(treadle: Treadle, server: Server) -> Remote:
    made = remote_of(treadle, server)
    made.variables |= {"XDG_CACHE_HOME": str(treadle.folder / "cache"), "TREADLE_DEBUG": "1"}
    return made


def offered(remote: Remote, *words: str) -> list[str]:
    """What bash is offered in place of the last word."""
    asked = {"COMP_WORDS": "\n".join(["treadle", *words]), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        remote.command(), capture_output=True, text=True, cwd=remote.folder, timeout=60,
        env=remote.environment | asked | {"_TREADLE_COMPLETE": "complete_bash"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_ids_steps_and_what_runs_are_called_are_offered(remote: Remote) -> None:
    failed = remote.json("run", "pipelines.py:failing", "--label", "who=me", code=1)["run"]["id"]
    done = remote.json("run", "pipelines.py:compare")["run"]["id"]
    assert offered(remote, "show", "") == [done, failed, "@last"]
    assert offered(remote, "retry", "run_") == [failed]
    assert offered(remote, "logs", "@last", "tr") == ["train", "train-2", "train-3"]
    assert offered(remote, "logs", done[:-2], "be") == ["best"]
    assert offered(remote, "get", done, "lo") == ["load"]
    assert offered(remote, "ps", "--pipeline", "") == ["compare", "failing"]
    assert offered(remote, "ps", "--label", "who") == ["who=me"]
    # a data directory that is named counts
    assert offered(remote, "show", "--data-dir", "elsewhere", "") == []


def test_a_server_that_refuses_or_is_silent_offers_nothing_and_does_not_hang(
    remote: Remote,
) -> None:
    assert offered(remote.using(TREADLE_TOKEN="wrong"), "show", "") == []
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert offered(remote, "show", "--server", url, "") == []


def findings(remote: Remote, *options: str, code: int = 0) -> dict[str, tuple[str, str]]:
    told = remote.json("doctor", *options, code=code)["findings"]
    return {each["what"]: (each["status"], each["says"]) for each in told}


def test_doctor_examines_the_way_to_a_server(remote: Remote, server: Server) -> None:
    found = findings(remote)
    expected = ("encryption", "server", "token", "version", "slots", "clock", "latency")
    assert [what for what in found if what in expected] == list(expected)
    assert found["server"] == ("ok", server.url)
    assert found["clock"] == ("ok", "as here, to a few seconds")
    assert found["token"] == ("ok", "owner, of user owner, may admin")
    assert "data directory" not in found


def test_doctor_says_what_is_wrong_with_a_token(remote: Remote) -> None:
    assert findings(remote.using(TREADLE_TOKEN=""), code=1)["token"][0] == "broken"
    found = findings(remote.using(TREADLE_TOKEN="trd_0000000000000000_wrong"), code=1)
    assert found["token"][0] == "broken"
    assert found["clock"] == ("ok", "as here, to a few seconds")


def test_doctor_says_that_nobody_answers(remote: Remote) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        found = findings(remote, "--server", url, code=1)
    assert found["server"] == ("broken", f"{url} does not answer: Connection refused")


def test_the_owner_of_the_directory_needs_no_token(remote: Remote, server: Server) -> None:
    own = remote.using(TREADLE_TOKEN="", TREADLE_DATA_DIR=str(server.data_dir))
    own("run", "pipelines.py:compare", "-q", "--server", server.url)
    assert findings(own, "--server", server.url)["token"][0] == "ok"
    assert offered(own, "show", "--server", server.url, "@") == ["last"]


def test_what_happens_is_told_as_lines(remote: Remote, tmp_path: Path) -> None:
    run_id = remote.json("run", "pipelines.py:failing", code=1)["run"]["id"]
    said = remote("events", "--since", "1h")
    assert f"{run_id}  run.failed" in said
    assert f"{run_id}  fail  job.failed" in said or "job.failed" in said
    kinds = {line.split('"kind": "')[1].split('"')[0]
             for line in remote("events", "--kind", "run", "--json").splitlines()}  # fmt: skip
    assert all(kind.startswith("run.") for kind in kinds)
