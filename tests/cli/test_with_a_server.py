"""Every command against a server: the same view as on a data directory, nothing started here."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_run import read_until

from cli.conftest import Treadle
from cli.served import Remote, marked_server, remote_of
from serving import Server

ID = re.compile(r"run_[0-9a-z]+")
MEASURED = re.compile(r"\b\d+(\.\d+)?( [kMG]?B|ms|s)\b|\d+s ago")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with marked_server(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture
def remote(treadle: Treadle, server: Server) -> Iterator[Remote]:
    made = remote_of(treadle, server)
    yield made
    assert not (treadle.folder / "data").exists(), "an engine was started here"


@pytest.fixture
def done(remote: Remote) -> str:
    """The id of a completed run."""
    return str(remote.json("run", "pipelines.py:compare")["run"]["id"])


def shape(said: str) -> list[str]:
    """Lines without ids and measurements, in an order that does not depend on who was faster."""
    plain = MEASURED.sub("N", ID.sub("RUN", said))
    lines = [" ".join(line.split()) for line in plain.splitlines()]
    return sorted(line for line in lines if line and "still loading" not in line)


# running


@pytest.mark.parametrize(
    ("pipeline", "code"), [("compare", 0), ("failing", 1), ("dying", 1), ("diverging", 0)]
)
def test_a_run_says_what_it_says_without_a_server(
    remote: Remote, tmp_path_factory: pytest.TempPathFactory, pipeline: str, code: int
) -> None:
    # Given what the command says with its own engine
    alone = remote.using(
        TREADLE_SERVER="", TREADLE_TOKEN="", TREADLE_DATA_DIR=str(tmp_path_factory.mktemp("own"))
    )
    expected = alone("run", f"pipelines.py:{pipeline}", code=code)

    # When a server runs the same
    said = remote("run", f"pipelines.py:{pipeline}", code=code)

    # Then every line is there, and no other
    assert shape(said) == shape(expected)


def test_a_server_may_be_named_by_an_option_and_is_named_in_the_next_steps(
    remote: Remote, server: Server
) -> None:
    said = remote.using(TREADLE_SERVER="")("run", "pipelines.py:compare", "--server", server.url)
    run_id = ID.findall(said)[-1]
    assert f"treadle show {run_id} --server {server.url}" in said
    assert " --server" not in remote("run", "pipelines.py:compare")


def test_json_of_a_run_is_one_document(remote: Remote) -> None:
    told = remote.json("run", "pipelines.py:compare")
    assert told["run"]["state"] == "completed"
    assert told["output"] == {"model": "logistic", "accuracy": 0.92}
    assert told["exit_code"] == 0


def test_a_detached_run_is_waited_for_and_followed(remote: Remote, server: Server) -> None:
    # Given a run that was left to the server
    said = remote.using(TREADLE_SERVER="")(
        "run", "pipelines.py:patient", "-p", "mark=followed", "--detach", "--server", server.url
    )
    first, next_step = said.splitlines()
    run_id = first.split()[0]
    assert next_step.strip() == f"treadle logs -f {run_id} --server {server.url}"

    # When it is followed, step and all
    one = remote.begin("logs", "-f", run_id, "wait_for")
    whole = remote.begin("logs", "-f", run_id)
    read_until(one, "waiting")
    read_until(whole, "wait_for | waiting")
    assert remote.json("wait", run_id, "--timeout", "0.1", code=3)["runs"][0]["state"] == "running"
    waiting = remote.begin("wait", run_id, "--timeout", "1m")
    remote.mark("followed")

    # Then all end with it
    assert [process.wait(30) for process in (one, whole, waiting)] == [0, 0, 0]
    assert waiting.stdout is not None
    assert waiting.stdout.read().decode() == f"{run_id}  completed\n"


def test_waiting_for_several_ends_as_the_worst_of_them_did(remote: Remote, done: str) -> None:
    failed = remote.json("run", "pipelines.py:failing", code=1)["run"]["id"]
    told = remote.json("wait", done, failed, code=1)
    assert [run["state"] for run in told["runs"]] == ["completed", "failed"]
    assert "--timeout soon" in remote.all("wait", done, "--timeout", "soon", code=2).stderr


def test_a_sweep_is_run_and_compared_there(remote: Remote) -> None:
    told = remote.json(
        "run", "pipelines.py:compare", "--sweep", "-p", "dataset=a,b", "--group", "two"
    )
    assert [each["run"]["parameters"]["dataset"] for each in told["runs"]] == ["a", "b"]
    assert remote("ps", "--group", "two").count("accuracy") == 1
    assert "two" in remote("ps", "--group")


def test_a_run_is_aborted_there(remote: Remote) -> None:
    run_id = remote.json("run", "pipelines.py:patient", "-p", "mark=never", "--detach")["run"]["id"]
    assert remote.json("abort", run_id)["run"]["state"] == "aborted"
    assert remote.json("wait", run_id, code=130)["runs"][0]["state"] == "aborted"


def test_a_failed_run_is_retried_there(remote: Remote) -> None:
    run_id = remote.json("run", "pipelines.py:flaky", code=1)["run"]["id"]
    again = remote.json("retry", run_id)["run"]
    assert (again["state"], again["retry_of"]) == ("completed", run_id)


# looking


def test_what_is_known_of_a_run_is_shown(remote: Remote, done: str) -> None:
    assert remote("logs", done, "load") == "loading wine\n"
    assert "load | loading wine" in remote("logs", done)
    assert "train-2" in remote("metrics", done)
    assert remote.json("artifacts", done)["artifacts"][0]["step"] == "load"
    assert json.loads(remote("get", done, "load")) == {"name": "wine", "rows": 3}
    assert "compare" in remote("show", done)
    assert "flowchart" in remote("show", done, "--mermaid")
    assert "Did you mean 'load'" in remote.all("logs", done, "laod", code=2).stderr


def test_a_large_output_is_written_to_a_file_as_it_comes(remote: Remote, small_disk: Path) -> None:
    (remote.folder / "big.py").write_text(
        "from treadle import pipeline, tool\n"
        "@tool\n"
        "def text(size: int) -> str:\n"
        "    return 'x' * size\n"
        "@pipeline\n"
        "def big(size: int = 3_000_000):\n"
        "    return text(size)\n"
    )
    run_id = remote.json("run", "big.py", "-q")["run"]["id"]
    file = remote.folder / "text.json"
    assert remote("get", run_id, "text", "-o", str(file)) == f"{file}  3.0 MB  application/json\n"
    assert json.loads(file.read_text()) == "x" * 3_000_000
    # Where there is no room for it, that is said, and nothing is left of it
    done = remote.all("get", run_id, "text", "-o", str(small_disk / "text.json"), code=3)
    assert "No space left on device" in done.stderr
    assert [each.name for each in small_disk.iterdir() if each.is_file()] == []


def test_code_is_compared_with_what_it_is_now(remote: Remote, done: str) -> None:
    assert remote.json("diff", done)["files"] == []
    file = remote.folder / "pipelines.py"
    file.write_text(file.read_text() + "\n# more\n")
    assert "+# more" in remote("diff", done)
    newer = remote.json("run", "pipelines.py:compare")["run"]["id"]
    assert [each["path"] for each in remote.json("diff", done, newer)["files"]] == ["pipelines.py"]


def test_a_pipeline_is_read_in_a_slot_of_the_server(remote: Remote) -> None:
    assert remote("validate", "pipelines.py:compare") == "pipelines.py: ok, 5 steps\n"
    assert "train-3" in remote("graph", "pipelines.py:compare")
    exported = json.loads(remote("export", "pipelines.py:compare", "--to", "json"))
    assert list(exported["steps"]) == ["load", "train", "train-2", "train-3", "best"]


def test_runs_are_listed_by_user_time_and_state(remote: Remote, done: str) -> None:
    def ids(*options: str) -> list[str]:
        return [run["id"] for run in remote.json("ps", *options)["runs"]]

    assert done in ids("--user", "owner", "--since", "1h")
    assert ids("--user", "nobody") == []
    assert ids("--until", "2020-01-01") == []
    assert done not in ids("--state", "failed")
    assert done in ids("--sort", "ended", "--all")
    assert "no time is called so" in remote.all("ps", "--since", "soon", code=2).stderr
    assert "user" not in remote("ps", "--user", "owner").splitlines()[0].split()


def test_whose_runs_they_are_is_shown_once_there_are_several_users(remote: Remote) -> None:
    analyst = remote.using(TREADLE_TOKEN=token(remote, "analyst", "run"))
    remote("run", "pipelines.py:compare", "-q")
    run_id = analyst.json("run", "pipelines.py:compare", "-q")["run"]["id"]
    heading, first, *_ = analyst("ps").splitlines()
    assert heading.split()[:3] == ["run", "user", "pipeline"]
    assert first.split()[:3] == [run_id, "analyst", "compare"]


def token(remote: Remote, user: str, scope: str) -> str:
    """The text of a new token."""
    made = remote.json("token", "create", f"{user}-{scope}", "--user", user, "--scope", scope)
    return str(made["text"])


# upkeep


def test_runs_are_forgotten_and_what_they_held_is_freed_there(remote: Remote, done: str) -> None:
    assert remote.json("rm", done) == {"removed": [done]}
    assert "There is no run" in remote.all("show", done, code=2).stderr
    assert "would free" in remote("gc", "--dry-run")


# where


def test_only_one_place_may_be_named(remote: Remote, server: Server) -> None:
    said = remote.all("ps", "--server", server.url, "--data-dir", "data", code=2).stderr
    assert "Both a server and a data directory are named." in said


def test_a_data_directory_that_is_named_counts_before_the_server_of_the_environment(
    remote: Remote, done: str
) -> None:
    assert remote.json("ps", "--data-dir", "elsewhere") == {"runs": []}
    assert done in remote("ps", "--all")


def test_a_server_may_be_named_in_treadle_toml(remote: Remote, server: Server, done: str) -> None:
    (remote.folder / "treadle.toml").write_text(f'server = "{server.url}"\n')
    there = remote.using(TREADLE_SERVER="", TREADLE_DATA_DIR="")
    assert done in there("ps", "--all")
    # what the environment says counts before
    assert remote.using(TREADLE_SERVER="").json("ps") == {"runs": []}


def test_slots_of_a_server_are_not_for_a_command_to_say(remote: Remote) -> None:
    said = remote.all("run", "pipelines.py:compare", "--slots", "3", code=2).stderr
    assert "--slots is for an engine that this command starts" in said
    assert "treadle up --slots" in said
