"""Scripts and modules that a pipeline file names: parsed, and kept inside the project."""

import os
import sys
from pathlib import Path

from formats.projects import Folder
from treadle.formats import native


def test_a_script_with_a_syntax_error_is_shown_with_its_line_and_column(folder: Folder) -> None:
    folder.write("train.py", "import os\nif True\n    pass\n")
    assert folder.refusal("steps: {a: {script: train.py}}") == (
        "train.py:2:8: SyntaxError: expected ':'"
    )


def test_a_step_with_a_python_of_its_own_may_have_its_own_syntax(folder: Folder) -> None:
    folder.write("old.py", "print 'as in former times'\n")
    folder.write("flow.yaml", "steps: {a: {script: old.py, environment: {python: '2.7'}}}")
    checked = native.check(folder.place())
    assert checked.problems == ()
    (warning,) = checked.warnings
    assert "old.py:1:1: SyntaxError: Missing parentheses" in str(warning)
    assert "a Python of its own" in str(warning)


def test_a_module_with_a_syntax_error_is_shown_with_its_line(folder: Folder) -> None:
    folder.write("prepare.py", "def split(:\n")
    assert folder.refusal("steps: {a: {function: 'prepare:split'}}").startswith(
        "prepare.py:1:11: SyntaxError: "
    )


def test_a_function_in_a_python_of_its_own_may_have_newer_syntax(folder: Folder) -> None:
    folder.write("prepare.py", "type Pair = tuple[int, int]\ndef split():\n    pass\n")
    folder.write(
        "flow.yaml", "steps: {a: {function: 'prepare:split', environment: {python: '3.99'}}}"
    )
    if sys.version_info < (3, 12):
        (warning,) = native.check(folder.place()).warnings
        assert "prepare.py:1:6: SyntaxError" in str(warning)
    assert native.check(folder.place()).problems == ()


def test_python_in_the_encoding_that_it_declares_is_fine(folder: Folder) -> None:
    folder.write("train.py", "# -*- coding: latin-1 -*-\nprint('Größe')\n".encode("latin-1"))
    folder.load("steps: {a: {script: train.py}}")
    folder.write("train.py", "print('Größe')\n".encode("latin-1"))
    refusal = folder.refusal("steps: {a: {script: train.py}}")
    assert "SyntaxError: (unicode error)" in refusal
    assert "Save it as UTF-8" in refusal


def test_python_that_is_none_is_told(folder: Folder) -> None:
    folder.write("train.py", b"print(1)\x00\n")
    assert "source code string cannot contain null bytes" in folder.refusal(
        "steps: {a: {script: train.py}}"
    )


def test_a_script_without_a_suffix_must_be_executable(folder: Folder) -> None:
    folder.write("run", "#!/bin/sh\necho\n")
    assert folder.refusal("steps: {a: {script: run}}") == (
        "flow.yaml:1:21: script 'run' is not executable. Make it so: chmod +x run"
    )
    folder.write("run", "#!/bin/sh\necho\n", mode=0o755)
    assert folder.load("steps: {a: {script: run}}").pipeline.tools[0].name == "run"


def test_a_script_that_leads_out_of_the_project_is_refused(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("print(1)\n")
    (folder.path / "link.py").symlink_to(outside)
    (folder.path / "gone.py").symlink_to(folder.path / "nothing.py")
    (folder.path / "inside.py").symlink_to(folder.path / "load.py")
    assert folder.refusal("steps: {a: {script: link.py}}") == (
        f"flow.yaml:1:21: script 'link.py' leads out of the project, to {outside}. "
        "Copy it into the project, so that it goes along."
    )
    assert folder.refusal("steps: {a: {script: gone.py}}") == (
        "flow.yaml:1:21: script 'gone.py' is a symbolic link to nothing."
    )
    folder.load("steps: {a: {script: inside.py}}")


def test_a_module_that_leads_out_of_the_project_is_refused(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("def f(): pass\n")
    (folder.path / "link.py").symlink_to(outside)
    assert "module 'link' leads out of the project" in folder.refusal(
        "steps: {a: {function: 'link:f'}}"
    )


def test_a_folder_and_a_pipe_are_no_scripts(folder: Folder) -> None:
    (folder.path / "sub").mkdir()
    os.mkfifo(folder.path / "pipe")
    assert "script 'sub' is a folder." in folder.refusal("steps: {a: {script: sub}}")
    assert "script 'pipe' is no regular file." in folder.refusal("steps: {a: {script: pipe}}")
