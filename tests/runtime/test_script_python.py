"""Python scripts: run as if alone, in a fork of the slot."""

import errno
import os
import signal
import sys
from pathlib import Path

import pytest

from runtime.scripts import ScriptBench
from treadle.model.records import FailureType


@pytest.fixture
def scripts(tmp_path: Path) -> ScriptBench:
    return ScriptBench(tmp_path)


def test_a_script_reads_what_it_is_given_and_says_what_it_made(scripts: ScriptBench) -> None:
    # Given a script that takes the result of a step and two parameters
    text = """
import treadle
treadle.log_metric("rows", len(treadle.inputs["data"]), step=1)
treadle.progress(1, 2)
treadle.output([x * treadle.parameters["factor"] for x in treadle.inputs["data"]], "scaled")
treadle.output({"name": treadle.parameters["name"], "attempt": treadle.attempt_number()})
"""
    # When it is performed
    made = scripts.outputs(
        text, inputs={"data": [1, 2]}, parameters={"factor": 3, "name": "x"}, outputs=("scaled",)
    )

    # Then its outputs are stored, also the one that nobody asked for, and its notes came through
    assert made == {"scaled": [3, 6], "result": {"name": "x", "attempt": 1}}
    assert scripts.ear.told == [
        ("started",), ("metric", "rows", 2.0, 1), ("progress", 1.0, 2.0),
    ]  # fmt: skip


def test_it_is_main_with_its_arguments_its_folder_and_its_siblings(scripts: ScriptBench) -> None:
    text = """
import os, sys, sibling, treadle
assert __name__ == "__main__" and sys.modules["__main__"].__dict__ is globals()
assert __file__ == sys.argv[0] and sys.path[0] == os.path.dirname(__file__) == os.getcwd()
assert __spec__ is None and __package__ is None and __doc__ is None
assert sys.stdin.read() == "" and os.read(0, 1) == b""
treadle.output([sys.argv[1:], sibling.NAME, os.path.basename(os.getcwd())])
"""
    made = scripts.outputs(
        text,
        folder="part",
        files={"part/sibling.py": "NAME = 'sibling'"},
        args=["--x", "${parameters.n}", "$${kept}", "${HOME}"],
        parameters={"n": [1]},
    )
    assert made["result"] == [["--x", "[1]", "${kept}", "${HOME}"], "sibling", "part"]


def test_modules_beside_the_script_come_before_those_the_slot_has_loaded(
    scripts: ScriptBench,
) -> None:
    files = {"json.py": "OWN = 1", "cloudpickle/__init__.py": "OWN = 2"}
    text = """
import json, cloudpickle, os
assert (json.OWN, cloudpickle.OWN) == (1, 2)
open(os.environ["TREADLE_OUTPUT_DONE"], "w").write("x")
"""
    made = scripts.outputs(text, files=files, outputs=("done",))
    assert made["done"].read_text() == "x"


def test_an_exception_is_told_with_its_class_message_and_traceback(scripts: ScriptBench) -> None:
    failure = scripts.failure("def f():\n    raise LookupError('gone')\nf()")

    assert failure.type == FailureType.USER
    assert failure.exception == "LookupError"
    assert failure.message == "LookupError: gone"
    assert failure.traceback.startswith("Traceback (most recent call last):\n  File ")
    assert "in <module>" in failure.traceback
    assert "treadle/runtime" not in failure.traceback


def test_other_exit_codes_and_signals_are_told(scripts: ScriptBench) -> None:
    left = scripts.failure("import sys; sys.exit('no good')")
    assert (left.type, left.message) == (
        FailureType.USER,
        "work.py ended with exit code 1: no good",
    )
    assert left.certificate is not None
    assert left.certificate.exit_code == 1
    killed = scripts.failure("import os; os.kill(os.getpid(), 9)")
    assert (killed.type, killed.message) == (FailureType.CRASHED, "work.py was killed by SIGKILL.")
    assert killed.certificate is not None
    assert killed.certificate.signal == signal.SIGKILL
    fault = scripts.failure(
        "import ctypes, faulthandler; faulthandler.disable(); ctypes.string_at(0)"
    )
    assert "SIGSEGV" in fault.message
    assert "compiled code" in fault.hint


def test_files_left_open_are_written_to_their_end(scripts: ScriptBench) -> None:
    text = """
import os, helper
file = open(os.environ["TREADLE_OUTPUT_A"], "w")
file.write("main")
"""
    helper = "import os\nFILE = open(os.environ['TREADLE_OUTPUT_B'], 'w')\nFILE.write('helper')"
    made = scripts.outputs(text, files={"helper.py": helper}, outputs=("a", "b"))
    assert (made["a"].read_text(), made["b"].read_text()) == ("main", "helper")


def test_functions_at_exit_may_still_write_outputs(scripts: ScriptBench) -> None:
    text = "import atexit, treadle\natexit.register(lambda: treadle.output(7, 'late'))"
    assert scripts.outputs(text, outputs=("late",)) == {"late": 7}


def test_every_run_draws_other_random_numbers(scripts: ScriptBench) -> None:
    pytest.importorskip("numpy")
    text = """
import random, numpy, treadle
treadle.output([random.random(), float(numpy.random.rand())])
"""
    first, second = (scripts.outputs(text)["result"] for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_a_module_that_is_missing_comes_with_a_hint(scripts: ScriptBench) -> None:
    failure = scripts.failure("import nowhere.to_be_found")
    assert failure.exception == "ModuleNotFoundError"
    assert "provides 'nowhere'" in failure.hint


def test_writing_beside_the_code_is_refused_with_a_hint(scripts: ScriptBench) -> None:
    text = "import os\nos.geteuid() or os.setuid(65534)\nopen('result.csv', 'w')"
    failure = scripts.failure(text)
    assert "PermissionError" in failure.message
    assert "$TREADLE_OUTPUTS_DIR" in failure.hint


def test_the_process_that_performs_it_stays_as_it_was(scripts: ScriptBench) -> None:
    before = dict(os.environ), os.getcwd(), list(sys.path), list(sys.argv), set(sys.modules)
    scripts.outputs("import os, sys, csv\nos.environ['X'] = '1'\nsys.path.clear()\nos.chdir('/')")
    after = dict(os.environ), os.getcwd(), list(sys.path), list(sys.argv), set(sys.modules)
    assert before[:4] == after[:4]
    assert after[4] - before[4] <= {"mimetypes", "ast"}


def test_its_processes_log_too(scripts: ScriptBench) -> None:
    text = """
import multiprocessing, subprocess, sys, treadle
def log(n):
    treadle.log_metric("child", n)
if __name__ == "__main__":
    for kind in ("fork", "spawn"):
        process = multiprocessing.get_context(kind).Process(target=log, args=(1,))
        process.start(); process.join()
    subprocess.run([sys.executable, "-c", "import treadle; treadle.log_metric('other', 2)"])
"""
    scripts.outputs(text)
    assert scripts.ear.told[1:] == [
        ("metric", "child", 1.0, None), ("metric", "child", 1.0, None),
        ("metric", "other", 2.0, None),
    ]  # fmt: skip


def test_a_script_for_which_there_is_no_process_leaves_no_descriptor_open(
    scripts: ScriptBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    before = os.listdir("/proc/self/fd")
    failure = scripts.failure("pass")
    assert "Resource temporarily unavailable" in failure.message
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("kind", ["outputs", "inputs", "parameters"])
def test_a_variable_of_something_that_no_pipeline_names_says_where_to_name_it(
    scripts: ScriptBench, kind: str
) -> None:
    word = {"outputs": "OUTPUT", "inputs": "INPUT", "parameters": "PARAM"}[kind]
    failure = scripts.failure(f"import os; os.environ['TREADLE_{word}_MODEL']")
    assert failure.hint == f"Name it under the step's `{kind}`."
