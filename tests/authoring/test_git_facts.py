"""What git tells of a project goes with its bundle; without git there is nothing to tell."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from treadle.authoring.bundles import bundle
from treadle.authoring.git import GitStatus

Write = Callable[..., Path]


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *names, *arguments], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(write: Write, tmp_path: Path) -> Path:
    write("flow.py", "x = 1")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def source_of(root: Path) -> tuple[str, str, bool]:
    source = bundle(root / "flow.py").source
    return source.commit, source.branch, source.dirty


def test_commit_branch_and_changes_are_told(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert source_of(repository) == (commit, "main", False)
    (repository / "new.py").touch()
    assert source_of(repository) == (commit, "main", True)
    git(repository, "checkout", "-q", "--detach")
    assert source_of(repository) == (commit, "", True)


def test_a_repository_without_a_commit_has_a_branch(write: Write, tmp_path: Path) -> None:
    write("flow.py", "")
    git(tmp_path, "init", "-q")
    assert source_of(tmp_path) == ("", "main", True)


def test_changes_outside_the_project_do_not_count(repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "sub/treadle.toml").touch()
    (repository / "sub/flow.py").touch()
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "two")
    (repository / "other.py").touch()

    assert source_of(repository / "sub")[1:] == ("main", False)


@pytest.mark.parametrize("program", [None, "exit 1", "sleep 600", "kill -9 $$", "printf '\\377'"])
def test_a_git_that_is_absent_broken_or_hangs_tells_nothing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    if program is not None:
        (tools / "git").write_text(f"#!/bin/bash\nPATH=/usr/bin:/bin\n{program}\n")
        (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr("treadle.authoring.git.TIME_LIMIT_SECONDS", 0.2)

    assert source_of(repository)[:2] == ("", "")


def test_variables_of_another_repository_do_not_mislead(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert source_of(repository)[1] == "main"


def test_an_abandoned_git_is_ended(repository: Path) -> None:
    environ: Mapping[str, str] = dict(os.environ)
    status = GitStatus(repository, environ)
    status.stop()
    status.stop()
    assert status._process is not None
    assert status._process.returncode is not None
