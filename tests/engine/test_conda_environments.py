"""A conda file is built by whichever of conda's programs is there; here a stand-in."""

import os
import sys
from pathlib import Path

import pytest

from engine.pythons import need_index
from engine.workbench import Workbench
from treadle.model.records import Environment, FailureType


@pytest.fixture
def cellar(tmp_path: Path) -> Path:
    """A folder for environments."""
    return tmp_path / "environments"


def nothing() -> None:
    pass


_CONDA = """#!{python}
import os, subprocess, sys
print("micromamba", *sys.argv[1:])
assert os.environ["CONDA_ALWAYS_YES"]
folder = sys.argv[sys.argv.index("--prefix") + 1]
text = open(sys.argv[sys.argv.index("--file") + 1]).read()
if "unheard" in text:
    sys.exit("error    libmamba nothing provides requested unheard")
subprocess.run([{python!r}, "-m", "venv", "--without-pip", folder], check=True)
"""


def _stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small program in the place of micromamba, which needs channels that no test can count on:
    it is called as micromamba is, and makes a prefix with a Python."""
    program = folder / "bin" / "micromamba"
    program.parent.mkdir()
    program.write_text(_CONDA.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_conda_file_is_built_by_micromamba(
    bench: Workbench, cellar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for micromamba: the command, the prefix and what is added are looked at."""
    need_index()
    _stand_in(tmp_path, monkeypatch)

    def prefix() -> str:
        import sys

        return sys.prefix

    environment = Environment(conda="dependencies: [python]\n")
    story = bench.play(
        lambda floor: floor.run(prefix, environment=environment), environments=cellar
    )
    assert story.result == str(cellar / environment.key / "venv")
    assert b"micromamba create -y --prefix venv --file environment.yml" in story.printed("err")


def test_what_conda_says_is_the_reason(
    bench: Workbench, cellar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for micromamba, which ends as it does for an unknown package."""
    _stand_in(tmp_path, monkeypatch)
    environment = Environment(conda="dependencies: [unheard]\n")
    failure = bench.play(
        lambda floor: floor.run(nothing, environment=environment), environments=cellar
    ).failure
    assert "nothing provides requested unheard" in failure.message
    assert "Check the spelling" in failure.hint


def test_a_conda_file_without_conda_is_told_with_the_next_step(
    bench: Workbench, cellar: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failure = bench.play(
        lambda floor: floor.run(nothing, environment=Environment(conda="dependencies: []")),
        environments=cellar,
    ).failure
    assert failure.type == FailureType.BUILD
    assert "Install micromamba" in failure.hint
