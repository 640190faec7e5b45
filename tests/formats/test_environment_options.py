"""What a definition says of its environment is read whole when it is submitted."""

import os
import sys
from pathlib import Path

import pytest

from treadle.errors import InvalidDefinition
from treadle.formats.environments import read_environment
from treadle.formats.requirement_files import SOURCES
from treadle.model.records import Environment

INDEX, EXTRA = (f"--{kind}-{what}" for kind, what in SOURCES[:2])
HOST = "https://host.invalid"


def _refused(options: object, folder: Path) -> str:
    with pytest.raises(InvalidDefinition) as caught:
        read_environment(options, folder, "pipe.yaml:3:5")  # type: ignore[arg-type]
    assert str(caught.value).startswith("pipe.yaml:3:5: ")
    return str(caught.value)


def test_a_requirements_file_is_read_without_comments_and_with_continued_lines(tmp_path):
    # Given
    text = "# mine\nnumpy>=2  # big\n\npandas \\\n  >=2,<3 ; python_version > '3.8'\nx[a,b]==1\n"
    (tmp_path / "requirements.txt").write_text(text)
    # When
    found = read_environment("requirements.txt", tmp_path)
    # Then
    lines = ("numpy>=2", "pandas >=2,<3 ; python_version > '3.8'", "x[a,b]==1")
    assert found == Environment(requirements=lines)


def test_included_files_stand_in_their_place_and_constraints_stay_constraints(tmp_path):
    # Given
    (tmp_path / "deep").mkdir()
    (tmp_path / "requirements.txt").write_text("a\n-r deep/more.txt\n--constraint=limits.txt\nz")
    (tmp_path / "deep" / "more.txt").write_text("b\n-c limits.txt\n-rleast.txt\n")
    (tmp_path / "deep" / "limits.txt").write_text("b<3\n")
    (tmp_path / "deep" / "least.txt").write_text("c\n")
    (tmp_path / "limits.txt").write_text("-r again.txt\na<9")
    (tmp_path / "again.txt").write_text("z<1")
    # When
    found = read_environment({"requirements": "requirements.txt"}, tmp_path)
    # Then
    assert found.requirements == ("a", "b", "-c b<3", "c", "-c z<1", "-c a<9", "z")


def test_files_that_include_each_other_are_told_with_their_chain(tmp_path):
    (tmp_path / "a.txt").write_text("-r b.txt")
    (tmp_path / "b.txt").write_text("-r a.txt")
    assert "a.txt -> b.txt -> a.txt" in _refused("a.txt", tmp_path)


def test_a_list_of_lines_may_include_a_file(tmp_path):
    (tmp_path / "base.txt").write_text("\ufeffsix\n")
    found = read_environment({"requirements": ["-r base.txt", "toolz"]}, tmp_path)
    assert found.requirements == ("six", "toolz")


def test_options_of_the_index_are_kept(tmp_path):
    lines = [f"{INDEX} https://x.invalid/simple", "--pre", "-f /wheels", "six"]
    assert read_environment({"requirements": lines}, tmp_path).requirements == tuple(lines)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-e .", "the snapshot that every step gets"),
        (".", "the snapshot that every step gets"),
        ("./lib", "the snapshot that every step gets"),
        ("lib/x-1-py3-none-any.whl", "Otherwise give the whole path"),
        ("x @ ../x", "Otherwise give the whole path"),
        ("-e git+https://host.invalid/x.git", "Leave out `-e`"),
        ("-f wheels", "Give the whole path"),
        ("numpy=1.2", "Did you mean 'numpy==1.2'?"),
        ("numpy 1.2", "Expected a name"),
        ("requirements.txt", "-r requirements.txt"),
        ("-r missing.txt", "there is no file missing.txt"),
        ("-r https://host.invalid/r.txt", "Save it beside this file"),
        ("--indexurl https://x.invalid", f"Did you mean '{INDEX}'?"),
        (INDEX, "without its value"),
        (f"{EXTRA} https://me:word@x.invalid/simple", "credentials"),
        ("x @ git+https://token@host.invalid/x.git", "credentials"),
        ("x @ git+ssh://git:word@host.invalid/x.git", "credentials"),
    ],
)
def test_lines_that_cannot_be_kept_are_refused_with_the_next_step(tmp_path, line, words):
    assert words in _refused({"requirements": [line]}, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "x @ git+ssh://git@host.invalid/x.git@v1",
        "x @ git+https://${TOKEN}@host.invalid/x.git",
        EXTRA + " https://${USER}:${WORD}@x.invalid/simple",
        "x @ file:///wheels/x-1-py3-none-any.whl",
        "/wheels/x-1-py3-none-any.whl",
        HOST + "/x-1-py3-none-any.whl#sha256=00",
        "six==1.17.0 --hash=sha256:aa --hash=sha256:bb",
        "x (>=1,<2)",
        "x[extra] ~= 2.0, != 2.1.* ; os_name == 'posix'",
    ],
)
def test_lines_that_stand_for_the_same_everywhere_are_kept(tmp_path, line):
    assert read_environment({"requirements": [line]}, tmp_path).requirements == (line,)


def test_a_refused_line_is_named_with_its_file_and_number(tmp_path):
    (tmp_path / "r.txt").write_text("six\n\nnumpy=1\n")
    assert "r.txt:3: 'numpy=1'" in _refused("r.txt", tmp_path)


PYPROJECT = """
[project]
name = "Wine.Quality"
dependencies = ["numpy>=2"]
[project.optional-dependencies]
plots = ["matplotlib"]
all = ["wine-quality[plots,fast]", "rich"]
fast = ["numba"]
[dependency-groups]
test = ["pytest", {include-group = "Typing_Stubs"}]
typing-stubs = ["types-x"]
"""


def test_a_pyproject_gives_its_dependencies_extras_and_groups(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    options = {"pyproject": True, "extras": ["all"], "groups": "test", "python": "3.12"}
    found = read_environment(options, tmp_path)
    lines = ("numpy>=2", "matplotlib", "numba", "rich", "pytest", "types-x")
    assert found == Environment(python="3.12", requirements=lines)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("[project]\nname='x'\ndynamic=['dependencies']", {}, "only the project's build knows"),
        ("[tool.x]\n", {}, "no [project] table"),
        (PYPROJECT, {"extras": ["plot"]}, "Did you mean 'plots'?"),
        (PYPROJECT, {"groups": ["tests"]}, "Did you mean 'test'?"),
        ("[dependency-groups]\na=[{include-group='a'}]", {"groups": ["a"]}, "each other: a -> a"),
        ("[project]\ndependencies='numpy'", {}, "expected a list"),
        ("[project\n", {}, "not valid TOML"),
    ],
)
def test_what_is_wrong_in_a_pyproject_is_told(tmp_path, text, options, words):
    (tmp_path / "pyproject.toml").write_text(text)
    assert words in _refused({"pyproject": "pyproject.toml", **options}, tmp_path)


@pytest.mark.parametrize(
    ("value", "python"), [("3.12", "3.12"), (3.12, "3.12"), (3, "3"), (">=3.12", ">=3.12")]
)
def test_a_python_version_may_be_a_number_where_that_is_plain(tmp_path, value, python):
    assert read_environment({"python": value}, tmp_path).python == python


def test_the_number_3_1_is_refused_because_3_10_is_read_as_it(tmp_path):
    message = _refused({"python": 3.10}, tmp_path)
    assert 'Write the version in quotes: "3.10" or "3.1"' in message


@pytest.mark.parametrize("value", ["/usr/bin/python3", "--help", [3], True])
def test_what_is_no_version_is_refused(tmp_path, value):
    assert "`interpreter`" in _refused({"python": value}, tmp_path)


def test_an_interpreter_is_an_executable_a_prefix_or_a_name(tmp_path, monkeypatch):
    # Given
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    python = tmp_path / "venv" / "bin" / "python"
    python.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(python.parent), prepend=os.pathsep)
    # When
    found = [read_environment(text, tmp_path) for text in ("venv", "venv/bin/python", "python")]
    # Then
    assert found == [Environment(interpreter=str(python))] * 3


def test_an_interpreter_that_is_not_there_or_no_program_is_refused(tmp_path):
    (tmp_path / "data").write_text("")
    assert "There is no interpreter" in _refused({"interpreter": "nothing/python"}, tmp_path)
    assert "cannot be executed" in _refused({"interpreter": "./data"}, tmp_path)


def test_a_conda_file_is_kept_as_it_is(tmp_path):
    (tmp_path / "environment.yml").write_text("dependencies:\n- python=3.12\n")
    found = read_environment("environment.yml", tmp_path)
    assert found == Environment(conda="dependencies:\n- python=3.12\n")


def test_a_conda_channel_with_a_token_is_refused(tmp_path):
    (tmp_path / "environment.yml").write_text("channels: [https://c.invalid/t/ab-12/main]")
    assert "credentials" in _refused("environment.yml", tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"requirement": "x.txt"}, "Did you mean 'requirements'?"),
        ({"conda": "e.yml", "python": "3.12"}, "stands alone, without python"),
        ({"interpreter": "x", "requirements": ["six"]}, "stands alone, without requirements"),
        ({"extras": ["a"]}, "goes with `pyproject`"),
        ({"requirements": 3}, "a list such as"),
        ({"requirements": "none.txt"}, "There is no file"),
        (7, "expected a name or options"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options, words):
    assert words in _refused(options, tmp_path)


def test_a_file_that_is_no_text_or_a_pipe_is_refused(tmp_path):
    (tmp_path / "r.txt").write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "pipe.txt")
    assert "Save it as UTF-8" in _refused("r.txt", tmp_path)
    assert "There is no file" in _refused("pipe.txt", tmp_path)
