"""treadle diff: the code of two runs, or of one and the project now."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """
from treadle import pipeline, tool

@tool
def load(name: str, rows: int):
    return name * rows

@pipeline
def flow(name: str = "wine", rows: int = 3):
    return load(name, rows)
"""


@pytest.fixture
def project(treadle) -> Path:
    """The test's folder as a project; the data directory lies in it too."""
    folder: Path = treadle.folder
    (folder / "treadle.toml").touch()
    (folder / "flow.py").write_text(FLOW)
    (folder / "notes.txt").write_text("one\ntwo\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\0")
    return folder


def run(treadle, *options: str) -> str:
    return str(treadle.json("run", "flow.py", *options)["run"]["id"])


def edit(project: Path) -> None:
    (project / "flow.py").write_text(FLOW.replace("name * rows", "name * (rows + 1)"))
    (project / "notes.txt").unlink()
    (project / "added.sh").write_text("echo\n")
    (project / "picture.png").write_bytes(b"\x89PNG\0\0")


def test_an_unchanged_project_is_the_same(treadle, project: Path) -> None:
    run_id = run(treadle)
    lines = treadle("diff", "@last").splitlines()
    assert lines == [f"from {run_id}", "to   now", "The code is the same."]


def test_what_changed_since_a_run_is_shown_line_by_line(treadle, project: Path) -> None:
    run(treadle)
    edit(project)

    said = treadle("diff", "@last")

    assert "added added.sh\n--- /dev/null\n+++ b/added.sh\n@@ -0,0 +1 @@\n+echo\n" in said
    assert "-    return name * rows\n+    return name * (rows + 1)\n" in said
    assert "removed notes.txt\n--- a/notes.txt\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n" in said
    assert "changed picture.png  (no text, 5 B -> 6 B)" in said
    assert "\x1b" not in said


def test_the_diff_is_one_that_patch_can_apply(treadle, project: Path, tmp_path: Path) -> None:
    run(treadle)
    before = (project / "flow.py").read_text()
    edit(project)
    said = treadle("diff", "@last")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "flow.py").write_text(before)
    (copy / "notes.txt").write_text("one\ntwo\n")

    command = ["git", "apply", "--include=*.py", "--include=*.sh", "--include=*.txt", "-"]
    subprocess.run(command, cwd=copy, input=said.encode(), check=True)

    assert (copy / "flow.py").read_text() == (project / "flow.py").read_text()
    assert (copy / "added.sh").read_text() == "echo\n"
    assert not (copy / "notes.txt").exists()


def test_stat_names_the_files(treadle, project: Path) -> None:
    run(treadle)
    edit(project)
    assert treadle("diff", "@last", "--stat").splitlines()[2:] == [
        "A added.sh  +1 -0",
        "M flow.py  +1 -1",
        "D notes.txt  +0 -2",
        "M picture.png  no text, 5 B -> 6 B",
    ]


def test_two_runs_are_compared_with_parameters_and_commits(treadle, project: Path) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]

    def git(*arguments: str) -> None:
        subprocess.run(["git", *names, *arguments], cwd=project, check=True, capture_output=True)

    git("init")
    git("add", "flow.py", "treadle.toml", "notes.txt", "picture.png", "pipelines.py")
    git("commit", "-m", "one")
    one = run(treadle)
    edit(project)
    two = run(treadle, "-p", "rows=5")

    told = treadle.json("diff", one, two)

    assert told["parameters"] == {"rows": [3, 5]}
    assert [(each["path"], each["change"]) for each in told["files"]] == [
        ("added.sh", "added"), ("flow.py", "changed"), ("notes.txt", "removed"),
        ("picture.png", "changed"),
    ]  # fmt: skip
    assert told["from"]["source"]["branch"] == "main"
    assert told["from"]["source"]["commit"] == told["to"]["source"]["commit"]
    said = treadle("diff", one, two)
    assert " on main, with changes\n" in said.splitlines(keepends=True)[1]
    assert "parameter rows: 3 -> 5" in said


def test_linked_data_is_told_by_size_and_time(treadle, project: Path) -> None:
    data = project / "large.csv"
    data.write_bytes(b"x" * 11_000_000)
    run(treadle)
    data.write_bytes(b"x" * 12_000_000)

    assert "M large.csv  linked data, 11.0 MB of " in treadle("diff", "@last", "--stat")


def test_a_project_that_is_gone_is_named(treadle, project: Path) -> None:
    elsewhere = project / "project"
    elsewhere.mkdir()
    (elsewhere / "treadle.toml").touch()
    (elsewhere / "flow.py").write_text(FLOW)
    treadle("run", "project/flow.py")
    for path in sorted(elsewhere.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    elsewhere.rmdir()

    said = treadle.all("diff", "@last", code=2).stderr

    assert f"there is no folder {elsewhere}" in said
    assert "Name a second run" in said


def test_code_sent_by_value_has_no_files_to_compare(treadle, project: Path) -> None:
    script = project / "script.py"
    script.write_text(FLOW + "\nflow.run()\n")
    subprocess.run(
        [sys.executable, script], env=treadle.environment | dict(os.environ) | {
            "TREADLE_DATA_DIR": str(treadle.folder / "data")
        }, check=True, capture_output=True,
    )  # fmt: skip

    said = treadle.all("diff", "@last", code=2).stderr

    assert "was sent by value" in said
