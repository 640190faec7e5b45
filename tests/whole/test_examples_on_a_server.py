"""Each example runs on a server as in the command itself: states, values, what is printed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serving import Server, running_server

EXAMPLES = Path(__file__).parents[2] / "examples"
JSON = "application/json"
FOLDER = re.compile(r"/\S*?/state/")
ID = re.compile(r"\b(job|run)_[0-9a-z]{18}\b")
TIME = re.compile(r"\b\d+(\.\d+)?(ms|s)\b")
PROJECTS: dict[str, tuple[str, ...]] = {
    "compare": ("compare/pipeline.py", "-p", "dataset=wine"),
    "sweep": ("sweep/pipeline.py", "-p", "seeds=2"),
    "scripts-only": ("scripts-only",),
    "functions-and-scripts": ("functions-and-scripts",),
    "bash-and-two-pythons": ("bash-and-two-pythons",),
}
SCRIPT = "quick"  #: run as `python script.py`
NEEDED = {"bash-and-two-pythons": Path("/usr/bin/python3")}


@dataclass(frozen=True, slots=True)
class Place:
    """Where commands run what they run."""

    environment: dict[str, str]

    def command(self, *arguments: str, code: int | None = 0) -> str:
        """Standard output of a treadle command."""
        return self.python("-m", "treadle", *arguments, code=code)

    def python(self, *arguments: str, code: int | None = 0) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=EXAMPLES,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert code is None or done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        return json.loads(self.command(*arguments, "--json", code=code))


def place(folder: Path, **variables: str) -> Place:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TREADLE_")}
    return Place(kept | {"TREADLE_SLOTS": "2", "XDG_CONFIG_HOME": str(folder)} | variables)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("there") / "state", "--slots", "2") as made:
        yield made


@pytest.fixture
def here(tmp_path: Path) -> Place:
    """The command with its own engine."""
    return place(tmp_path, TREADLE_DATA_DIR=str(tmp_path / "state"))


@pytest.fixture
def there(tmp_path: Path, server: Server) -> Iterator[Place]:
    """The same command with a server."""
    unused = tmp_path / "unused"
    yield place(
        tmp_path,
        TREADLE_SERVER=server.url,
        TREADLE_TOKEN=server.token,
        TREADLE_DATA_DIR=str(unused),
    )
    assert not unused.exists(), "an engine was started here"


def outcome(where: Place, *asked: str) -> dict[str, Any]:
    """What became of a run: all that does not depend on when and where it ran."""
    told = where.json("run", *asked, code=None)
    run_id = told["run"]["id"]
    made = where.json("artifacts", run_id)["artifacts"]
    steps = {job["id"]: job["step"] for job in told["jobs"]}
    return {
        "state": told["run"]["state"],
        "reason": told["run"]["reason"],
        "parameters": told["run"]["parameters"],
        "version": told["run"]["pipeline_version"],
        "exit code": told["exit_code"],
        "steps": [(job["step"], job["state"], job["attempt"]) for job in told["jobs"]],
        "failures": [job["failure"] and job["failure"]["message"] for job in told["jobs"]],
        "metrics": sorted((steps[m["job_id"]], m["name"], str(m["step"])) for m in told["metrics"]),
        "output": told.get("output"),
        "made": [(each["step"], each["output"], each["media_type"]) for each in made],
        "values": [value(where, run_id, each) for each in made if each["media_type"] == JSON],
        "printed": sorted(map(plain, where.command("logs", run_id).splitlines())),
    }


def plain(line: str) -> str:
    """A line of a log without places, ids and durations."""
    return TIME.sub("TIME", ID.sub("ID", FOLDER.sub("STATE/", line)))


def value(where: Place, run_id: str, made: dict[str, Any]) -> Any:
    return json.loads(where.command("get", run_id, f"{made['step']}.{made['output']}"))


def test_every_example_is_tried() -> None:
    folders = {each.name for each in EXAMPLES.iterdir() if each.is_dir()}
    assert folders == {*PROJECTS, SCRIPT}


@pytest.mark.parametrize("name", PROJECTS)
def test_an_example_runs_on_a_server_as_it_does_without(
    name: str, here: Place, there: Place
) -> None:
    pytest.importorskip("sklearn", reason="the examples train models with scikit-learn")
    if name in NEEDED and not NEEDED[name].exists():
        pytest.skip(f"there is no {NEEDED[name]} here")
    expected = outcome(here, *PROJECTS[name])
    if any("network" in (each or "") for each in expected["failures"]):
        pytest.skip("its Python cannot be built without a network")

    assert outcome(there, *PROJECTS[name]) == expected


def test_the_example_that_is_a_script_asks_the_server_too(here: Place, there: Place) -> None:
    pytest.importorskip("sklearn", reason="the example loads data with scikit-learn")
    pytest.importorskip("pandas", reason="the example loads data with pandas")
    expected = here.python(f"{SCRIPT}/script.py")

    said = there.python(f"{SCRIPT}/script.py")

    assert list(map(plain, said.splitlines())) == list(map(plain, expected.splitlines()))
