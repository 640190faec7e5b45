"""Secrets that pipelines name reach their steps and nothing else."""

import os
from pathlib import Path

import pytest

import treadle

SECRET = "hunter2-of-the-test"

MODULE = """
import os
from treadle import pipeline, tool

@tool(env={"API_KEY": os.environ["API_KEY"], "MODE": "x"})
def ask() -> list:
    print("the key is", os.environ["API_KEY"])
    return [len(os.environ["API_KEY"]), os.environ["MODE"]]

@pipeline
def main():
    return ask()
"""

FILE = """
env: {API_KEY: "${env.API_KEY}"}
steps:
  ask: {command: [sh, -c, 'echo "the key is $API_KEY"; printf "%s" "$API_KEY" | wc -c']}
"""


@pytest.mark.parametrize(("name", "text"), [("asking.py", MODULE), ("asking.yaml", FILE)])
def test_a_secret_of_the_submitter_is_in_the_step_and_nowhere_else(
    tmp_path, monkeypatch, name, text
):
    monkeypatch.setenv("API_KEY", SECRET)
    project, data_dir = tmp_path / "project", tmp_path / "state"
    project.mkdir()
    (project / name).write_text(text)
    with treadle.local(data_dir=data_dir, slots=1) as client:
        run = client.run(project / name)
        assert run.state == "completed"
        log = b"".join(run.logs("ask"))
        assert b"the key is ***\n" in log
        if name.endswith(".py"):
            assert run["ask"].result() == [len(SECRET), "x"]
        else:
            assert str(len(SECRET)).encode() in log
        assert leaks(data_dir) == []
    assert leaks(data_dir) == []


def leaks(folder: Path) -> list[str]:
    """Files in which the secret stands."""
    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    return [str(f) for f in files if f.is_file() and SECRET.encode() in f.read_bytes()]
