"""Parts of building: where uv finds packages, which Python it takes, what a log means."""

import os
from pathlib import Path

import pytest

from treadle.engine.local import builders, pip_settings
from treadle.engine.local.build_failures import build_failure
from treadle.engine.local.endings import with_last_words
from treadle.model.orders import Report
from treadle.model.records import Certificate, Environment, Failure, FailureType


def _environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path), **more}


@pytest.fixture(autouse=True)
def no_files_of_this_machine(monkeypatch):
    known = pip_settings._pip_files
    monkeypatch.setattr(
        pip_settings, "_pip_files", lambda e: [p for p in known(e) if e["HOME"] in str(p)]
    )


def test_what_pip_is_configured_with_is_told_to_uv(tmp_path):
    # Given
    (tmp_path / "wheels").mkdir()
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text(
        f"[global]\nindex{'-'}url = https://a.invalid/simple\ncert = /ca.pem\n"
        f"find{'-'}links = {tmp_path}/wheels\n  {tmp_path}/none\n[install]\nno-index = false\n"
    )
    environ = _environ(tmp_path, PIP_EXTRA_INDEX_URL="https://b.invalid/simple file:///none")
    # When
    found = pip_settings.uv_variables(environ)
    # Then
    assert found == {
        "UV_DEFAULT_INDEX": "https://a.invalid/simple",
        "UV_EXTRA_INDEX_URL": "https://b.invalid/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{tmp_path}/wheels",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_uv_is_left_alone_where_it_is_configured(tmp_path):
    pip = {"PIP_INDEX_URL": "https://a.invalid/simple"}
    own = {"UV_INDEX_URL": "https://c.invalid/simple"}
    assert pip_settings.uv_variables(_environ(tmp_path, **pip))
    assert pip_settings.uv_variables(_environ(tmp_path, **pip, **own)) == {}
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    (tmp_path / ".config" / "uv" / "uv.toml").write_text("")
    assert pip_settings.uv_variables(_environ(tmp_path, **pip)) == {}


def test_pip_may_be_told_to_read_no_file(tmp_path):
    environ = _environ(tmp_path, PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1")
    assert pip_settings.uv_variables(environ) == {"UV_NO_INDEX": "1"}


def test_a_damaged_file_of_pip_is_passed_over(tmp_path):
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text("no section\n")
    assert pip_settings.uv_variables(_environ(tmp_path)) == {}


def test_a_version_is_looked_for_among_those_of_pyenv_too(tmp_path, monkeypatch):
    for version in ("3.97.2", "3.97.11", "3.9.7"):
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
        (tmp_path / "versions" / version / "bin" / "python").write_text("")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    versions = tmp_path / "versions"
    assert builders._python("3.97") == str(versions / "3.97.11" / "bin" / "python")
    assert builders._python("3.97.2") == str(versions / "3.97.2" / "bin" / "python")
    assert builders._python("3.98") == "3.98"
    assert builders._python(">=3.97") == ">=3.97"


def test_constraints_and_options_of_the_command_line_are_sorted_out():
    lines = ("six", "-c six<2", "--pre", "--trusted-host h.invalid", "--no-index")
    recipe = builders.recipe_for(Environment(requirements=lines))
    install = recipe.commands[1]
    assert recipe.files == {
        "requirements.txt": "six\n--no-index\n",
        "constraints.txt": "six<2\n",
    }
    assert "--prerelease=allow" in install and "--allow-insecure-host=h.invalid" in install
    assert install[-4:] == [
        "--requirements", "requirements.txt", "--constraints", "constraints.txt"
    ]  # fmt: skip
    assert {"cloudpickle", "blake3"} <= set(install)


RESOLVE = """Using Python 3.13.0 environment at: venv
error: No solution found when resolving dependencies
  cause: Because nosuch was not found in the package registry and you require nosuch, we can \
conclude that your requirements are unsatisfiable.

hint: something long
"""
OLD_RESOLVE = """  × No solution found when resolving dependencies:
  ╰─▶ Because nosuch was not found in the package registry, it is unsatisfiable.
"""  # noqa: RUF001 - as older releases of uv print it
OFFLINE = """error: Failed to fetch: `https://x.invalid/simple/six/`
  Caused by: Could not connect, are you offline?
  Caused by: dns error
"""
REFUSED = """error: Request failed after 3 retries in 6.0s
  cause: Failed to fetch: https://x.invalid/simple/six/
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
NO_PYTHON = "error: No interpreter found for Python 3.77 in managed installations\n"


@pytest.mark.parametrize(
    ("log", "message", "hint"),
    [
        (RESOLVE, "No solution found when resolving dependencies; Because nosuch was", "spelling"),
        (OLD_RESOLVE, "Because nosuch was not found", "spelling"),
        (OFFLINE, "Could not connect, are you offline?", "online"),
        (REFUSED, "https://x.invalid/simple/six/; Connection refused (os error 111).", "online"),
        (NO_PYTHON, "No interpreter found for Python 3.77", "Install that Python"),
        ("a\nerror: x: No space left on device\n", "No space left", "treadle gc"),
        ("nothing to be seen\n", "uv ended with exit code 2.", "/log"),
    ],
)
def test_the_reason_of_a_failed_build_is_in_its_log(log, message, hint):
    said = Failure(
        type=FailureType.BUILD,
        message="uv ended with exit code 2.",
        certificate=Certificate(exit_code=2),
    )
    failure = build_failure(Report(outcome="failed", failure=said), log, "/log", 1800)
    assert failure.message.startswith("The environment cannot be built: ")
    assert message in failure.message and "\n" not in failure.message
    assert hint in failure.hint
    assert failure.certificate.exit_code == 2
    assert failure.certificate.last_lines == log.rstrip("\n")


def test_a_build_that_takes_too_long_is_told_as_such():
    said = Failure(type=FailureType.TIMEOUT, message="The job ran longer than ...")
    failure = build_failure(Report(outcome="failed", failure=said), "Resolving\n", "/log", 1800)
    assert failure.type == FailureType.BUILD
    assert failure.message == "The environment cannot be built: It was not ready after 30m."


def test_a_scripts_last_words_are_added_to_its_exit_code():
    failure = Failure(
        type=FailureType.USER,
        message="train.sh ended with exit code 2.",
        certificate=Certificate(exit_code=2),
    )
    report = Report(outcome="failed", failure=failure)
    told = with_last_words(report, "script", "all\nbad file\n", "bad file\n\n").failure
    assert told.message == "train.sh ended with exit code 2: bad file"
    assert told.certificate.last_lines == "all\nbad file\n"
    untold = with_last_words(report, "function", "all\n", "bad file\n").failure
    assert untold.message == failure.message
