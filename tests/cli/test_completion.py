"""Completion, asked for as a shell asks."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from treadle.cli.completion import files, shells
from treadle.cli.completion.commands import made_anew

BASH = shutil.which("bash")


@pytest.fixture
def shell(treadle):
    treadle.variables["XDG_CACHE_HOME"] = str(treadle.folder / ".cache")
    treadle.variables["TREADLE_DEBUG"] = "1"
    return treadle


def bash(shell, *words, code=0):
    """What bash is offered in place of the last word."""
    asked = {"COMP_WORDS": "\n".join(["treadle", *words]), "COMP_CWORD": str(len(words))}
    return ask(shell, "bash", asked, code)


def ask(shell, brand, variables, code=0):
    done = subprocess.run(
        shell.command(), capture_output=True, text=True, cwd=shell.folder, timeout=60,
        env=shell.environment | variables | {"_TREADLE_COMPLETE": f"complete_{brand}"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout.splitlines()


@pytest.fixture
def runs(shell) -> list[str]:
    """Ids of a completed and of a failed run, newest first."""
    done = [shell.json("run", "pipelines.py:compare")["run"]["id"]]
    return [shell.json("run", "pipelines.py:failing", code=1)["run"]["id"], *done]


def test_commands_and_options_are_offered(shell):
    assert "logs" in bash(shell, "lo")
    assert bash(shell, "logs", "--fo") == ["--follow"]
    assert bash(shell, "logs", "-f", "--fo") == []
    assert "--data-dir" in bash(shell, "ps", "--")
    assert bash(shell, "nosuch", "") == []


def test_every_command_and_option_of_the_command_line_is_known(shell):
    from typer.main import get_command

    from treadle.cli.app import app

    known = made_anew()
    commands = get_command(app).commands
    for name, group in list(commands.items()):
        inside = getattr(group, "commands", {})
        commands |= {f"{name} {each}": command for each, command in inside.items()}
    assert set(known) == {"", *commands}
    for name, command in commands.items():
        options = {o for each in known[name]["options"] for o in each["names"]}
        for each in command.params:
            assert each.param_type_name == "argument" or set(each.opts) <= options


def test_commands_of_a_group_of_commands_are_offered_behind_it(shell):
    assert "token" in bash(shell, "to")
    assert bash(shell, "token", "cr") == ["create"]
    assert bash(shell, "token", "create", "analyst", "--sco") == ["--scope"]
    assert bash(shell, "ps", "--sort", "-e") == ["-ended"]


def test_run_ids_are_offered_newest_first_with_what_they_are(shell, runs):
    assert bash(shell, "logs", "") == [*runs, "@last"]
    assert bash(shell, "show", runs[1][:-2]) == [runs[1]]
    told = ask(shell, "fish", {"_TYPER_COMPLETE_ARGS": "treadle logs ",
                               "_TYPER_COMPLETE_FISH_ACTION": "get-args"})  # fmt: skip
    run_id, about = told[0].split("\t")
    assert run_id == runs[0]
    assert about.startswith("failing failed ")


def test_a_command_is_offered_only_runs_it_can_do_something_about(shell, runs):
    assert bash(shell, "retry", "") == [runs[0], "@last"]
    assert bash(shell, "abort", "") == []
    assert bash(shell, "rm", runs[0], "") == [runs[1], "@last"]


def test_steps_and_outputs_of_the_named_run_are_offered(shell, runs):
    assert bash(shell, "logs", runs[1], "") == ["load", "train", "train-2", "train-3", "best"]
    assert bash(shell, "logs", runs[1].removeprefix("run_"), "b") == ["best"]
    assert bash(shell, "logs", "-f", "@", "last", "") == ["fail", "after"]
    assert bash(shell, "get", runs[1], "tr") == ["train", "train-2", "train-3"]
    assert bash(shell, "logs", "run_nosuch", "") == []


def test_states_pipelines_and_labels_are_offered(shell, runs):
    shell("run", "pipelines.py:compare", "--label", "team=blue")
    assert bash(shell, "ps", "--state", "f") == ["failed"]
    assert bash(shell, "ps", "--pipeline", "") == ["compare", "failing"]
    assert bash(shell, "ps", "--label", "t") == ["team=blue"]
    assert bash(shell, "ps", "--label", "team", "=", "") == ["blue"]


def test_files_and_pipelines_in_them_are_offered(shell):
    (shell.folder / "flows").mkdir()
    (shell.folder / "flows" / "wine.yaml").write_text("name: wine\n")
    (shell.folder / "notes.txt").write_text("")
    assert bash(shell, "run", "") == ["flows/", "pipelines.py"]
    assert bash(shell, "run", "fl") == ["flows/wine.yaml"]
    assert bash(shell, "run", "pipelines.py", ":", "f") == ["failing", "flaky"]
    assert "pipelines.py:stubborn" in bash(shell, "graph", "pipelines.py")


def test_parameters_of_a_python_file_are_offered_without_importing_it(shell):
    (shell.folder / "fit.py").write_text(
        "import nosuchmodule\n"
        "from typing import Literal\n"
        "@nosuchmodule.pipeline(name='fit')\n"
        "def f(data: str = 'wine', *,\n"
        "      model: Literal['tree', 'line'] = 'tree', dry=False, n: int):\n"
        "    raise SystemExit\n"
        "def g(other=1): ...\n"
    )
    assert bash(shell, "run", "fit.py", "-p", "") == [
        "data=", "data=wine", "model=", "model=tree", "model=line",
        "dry=", "dry=false", "dry=true", "n=",
    ]  # fmt: skip
    assert bash(shell, "run", "fit.py", "-p", "model", "=", "") == ["", "tree", "line"]
    assert bash(shell, "run", "fit.py:fit", "-p", "data=x", "--param", "d") == [
        "dry=", "dry=false", "dry=true",
    ]  # fmt: skip
    assert bash(shell, "run", "fit.py:other", "-p", "") == []


def test_parameters_of_a_pipeline_file_are_offered(shell):
    (shell.folder / "treadle.yaml").write_text(
        "parameters:\n"
        "  dataset: wine\n"
        "  depth: {type: integer, enum: [1, 2], description: How deep}\n"
        "  lr: {type: number}\n"
    )
    assert bash(shell, "run", "-p", "") == [
        "dataset=", "dataset=wine", "depth=", "depth=1", "depth=2", "lr=",
    ]  # fmt: skip
    told = ask(shell, "fish", {"_TYPER_COMPLETE_ARGS": "treadle run -p de",
                               "_TYPER_COMPLETE_FISH_ACTION": "get-args"})  # fmt: skip
    assert told[0] == "depth=\tHow deep"


def test_files_that_cannot_be_read_offer_nothing(shell):
    (shell.folder / "bad.py").write_text("def (:")
    (shell.folder / "bad.yaml").write_text("parameters: [\n\t:")
    (shell.folder / "list.yaml").write_text("[1, 2]")
    for name in ("bad.py", "bad.yaml", "list.yaml", "nosuch.py"):
        assert bash(shell, "run", name, "-p", "") == []


def test_completion_makes_nothing_and_owns_nothing(shell):
    assert bash(shell, "logs", "") == []
    assert not (shell.folder / "data").exists()


def test_a_ledger_of_another_kind_offers_nothing(shell):
    data = shell.folder / "data"
    data.mkdir()
    (data / "ledger.db").write_bytes(b"not a database")
    assert bash(shell, "logs", "") == []
    (data / "ledger.db").unlink()
    sqlite3.connect(data / "ledger.db").close()
    assert bash(shell, "logs", "") == []


def test_a_run_that_goes_on_is_offered_beside_its_owner(shell):
    process = shell.begin("run", "pipelines.py:patient")
    while not (shell.folder / "go.waiting").exists():
        assert process.poll() is None
        time.sleep(0.01)
    (run_id, last) = bash(shell, "abort", "")
    assert last == "@last"
    assert bash(shell, "logs", run_id, "") == ["wait_for"]
    shell.mark("go")
    assert process.wait(60) == 0


def test_what_is_kept_of_the_commands_belongs_to_these_files(shell):
    first = bash(shell, "lo")
    (cached,) = (shell.folder / ".cache" / "treadle").iterdir()
    assert "logs" in json.loads(cached.read_bytes())
    cached.write_text('{"": {"help": "", "options": [], "arguments": []}, "lost": {"help": ""}}')
    assert bash(shell, "lo") == ["lost"]
    cached.write_text("damaged")
    assert bash(shell, "lo") == first


@pytest.mark.skipif(BASH is None, reason="bash is not here")
def test_the_script_that_is_installed_completes_in_a_real_bash(shell, runs):
    bin_dir = shell.folder / "bin"
    bin_dir.mkdir()
    (bin_dir / "treadle").write_text(f'#!/bin/sh\nexec {sys.executable} -m treadle "$@"\n')
    (bin_dir / "treadle").chmod(0o755)
    script = (
        'eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 treadle --show-completion bash)"\n'
        'COMP_WORDS=(treadle logs ""); COMP_CWORD=2\n'
        "_treadle_completion treadle\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [BASH, "--norc", "-c", script], capture_output=True, text=True, timeout=60,
        env=shell.environment | {"PATH": path}, cwd=shell.folder,
    )  # fmt: skip
    assert done.stdout.splitlines() == [*runs, "@last"]


def test_words_that_bash_took_apart_are_put_together():
    def asked(*pieces):
        variables = {"COMP_WORDS": "\n".join(pieces), "COMP_CWORD": str(len(pieces) - 1)}
        return shells.SHELLS["bash"].asked(variables)

    assert asked("treadle", "run", "a.py", ":", "b") == (["run"], "a.py:b")
    assert asked("treadle", "run", "a.py", ":") == (["run"], "a.py:")
    assert asked("treadle", "run", "-p", "a", "=", "1", "-") == (["run", "-p", "a=1"], "-")
    assert asked("treadle", "get", "@", "last", "") == (["get", "@last"], "")
    assert asked("treadle", "get", "'my run'", '"a b') == (["get", "my run"], "a b")


def test_what_zsh_evaluates_is_quoted():
    told, _ = shells.SHELLS["zsh"].told([("a:b'$(rm)", "it's `so`")], "", {})
    found = subprocess.run(
        ["bash", "-c", f"_describe() {{ printf '%s' \"${{found[0]}}\"; }}; f() {{ {told}; }}; f"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert found.stdout == "a\\:b'$(rm):it's `so`"
    assert shells.SHELLS["zsh"].told([], "", {}) == ("_files", 0)


def test_a_folder_with_many_entries_and_a_home_are_looked_into(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "one.py").write_text("")
    assert files.targets("~/") == [("~/one.py", "")]
    assert files.targets(f"{tmp_path}/nosuch/") == []
    assert Path(files.targets(f"{tmp_path}/o")[0][0]) == tmp_path / "one.py"
