"""Scripts in other languages and in other Pythons: files, variables, templates, exit codes."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from disks import disk_of
from runtime.scripts import INTERPRETERS, ScriptBench, interpreter
from treadle.model.bindings import Entries, Items, Stored, Value
from treadle.model.records import Environment, FailureType
from treadle.storage.blobs import load_value, store_value

SRC = Path(__file__).parents[2] / "src/treadle"
ANYWHERE = ["__init__.py", "errors.py", "step.py", "script_job.py", "runtime/as_main.py"]


@pytest.fixture
def scripts(tmp_path: Path) -> ScriptBench:
    return ScriptBench(tmp_path)


def python_of(version: str) -> str:
    found = interpreter(version)
    if found is None:
        pytest.skip(f"there is no Python {version} here")
    return found


# bash, programs, commands


def test_bash_finds_all_in_its_variables(scripts: ScriptBench) -> None:
    # Given a bash script that copies its input, with a parameter, an argument, a metric
    text = """
set -eu
test "$PWD" = "$(dirname "$(realpath "$0")")" && test -z "$(cat)"
test "$TREADLE_PARAM_RATE" = 0.5 && test "$TREADLE_PARAM_NAME" = "two words" && test "$1" = "0.5"
test "$TREADLE_STEP/$TREADLE_RUN_ID/$TREADLE_ATTEMPT" = work/run-1/1 && test "$MODE" = fast-0.5
echo '{"metric": "seen", "value": 2}' >> "$TREADLE_NOTES"
echo '{"progress": 1, "total": 4}' >> "$TREADLE_NOTES"
cp "$TREADLE_INPUT_MY_DATA" "$TREADLE_OUTPUT_COPY"
echo extra > "$TREADLE_OUTPUTS_DIR/extra.txt"
echo kept > "$TREADLE_SCRATCH_DIR/kept"
"""
    # When it is performed
    made = scripts.outputs(
        text, "work.sh", inputs={"my-data": [1, "x"]}, args=["${parameters.rate}"],
        parameters={"rate": 0.5, "name": "two words"}, outputs=("copy",), executable=False,
        variables={"MODE": "fast-${parameters.rate}"},
    )  # fmt: skip

    # Then its files are its outputs, and the notes were heard
    assert made["copy"].read_text() == '[1,"x"]'
    assert made["extra.txt"].read_text() == "extra\n"
    assert scripts.ear.told == [("started",), ("metric", "seen", 2.0, None), ("progress", 1.0, 4.0)]


def test_templates_stand_for_files_and_values(scripts: ScriptBench) -> None:
    made = scripts.outputs(
        "", "", args=["cp", "${inputs.data}", "${outputs.copy}"], inputs={"data": "x"},
        outputs=("copy",), output_files={"copy": "deep/copy.json"},
    )  # fmt: skip
    assert (made["copy"].name, made["copy"].read_text()) == ("copy.json", '"x"')

    failure = scripts.failure("", "", args=["cp", "${inputs.dta}"], inputs={"data": "x"})
    assert failure.type == FailureType.BUILD
    assert failure.hint == "Did you mean 'data'?"


def test_any_executable_file_is_run_by_what_its_first_line_names(scripts: ScriptBench) -> None:
    made = scripts.outputs(
        "#!/bin/sh\necho $1 > $TREADLE_OUTPUT_A\n", "go", args=["7"], outputs=("a",)
    )
    assert made["a"].read_text() == "7\n"


@pytest.mark.parametrize(
    ("text", "entry", "said", "hint"),
    [
        ("#!/no/such/thing -x\n", "go", "'/no/such/thing'", "env NAME"),
        ("#!/bin/sh\r\necho\r\n", "go", "as on Windows", "sed -i"),
        ("echo\n", "go", "no program", "#!/bin/bash"),
        (b"\x7fELF\2\1\1", "go", "no program", "#!/bin/bash"),
    ],
)
def test_what_cannot_be_executed_is_told_with_the_next_step(
    scripts: ScriptBench, text: str | bytes, entry: str, said: str, hint: str
) -> None:
    failure = scripts.failure(text, entry)
    assert failure.type == FailureType.BUILD
    assert said in failure.message
    assert hint in failure.hint
    assert failure.traceback == ""  # no line of the user's is to blame


def test_a_file_that_may_not_be_executed_is_told(scripts: ScriptBench) -> None:
    failure = scripts.failure("#!/bin/sh\n", "go", executable=False)
    assert (failure.type, failure.message) == (FailureType.BUILD, "go may not be executed.")
    assert "chmod +x go" in failure.hint


def test_a_command_that_is_not_there_is_told_with_the_nearest(scripts: ScriptBench) -> None:
    failure = scripts.failure("", "", args=["bassh", "-c", "true"])
    assert failure.message == "There is no program 'bassh' here."
    assert failure.hint == "Did you mean 'bash'?"


def test_a_script_that_is_not_in_the_snapshot_is_told(scripts: ScriptBench) -> None:
    order = scripts.script("", "work.py")
    for entry, said in (("other.py", "no script other.py"), ("../../x.py", "lies outside")):
        changed = {"code": type(order.code)(kind="snapshot", digest=order.code.digest, entry=entry)}
        failure = scripts.failure("", **changed)
        assert failure.type == FailureType.BUILD
        assert said in failure.message


def test_exit_codes_of_other_languages_are_told(scripts: ScriptBench) -> None:
    failure = scripts.failure("nonsuch_command\n", "work.sh")
    assert (failure.type, failure.message) == (
        FailureType.USER, "work.sh ended with exit code 127.",
    )  # fmt: skip
    assert "not there" in failure.hint
    assert "Windows" in scripts.failure("exit 3\r\n", "work.sh").hint
    assert scripts.failure("kill -SEGV $$\n", "work.sh").type == FailureType.CRASHED


def test_arguments_too_long_for_the_kernel_are_told(scripts: ScriptBench) -> None:
    failure = scripts.failure("true", "work.sh", args=["x" * 200_000])
    assert "too long" in failure.message
    long = scripts.outputs(
        'test -z "${TREADLE_PARAM_X-}"', "work.sh", parameters={"x": "y" * 200_000}
    )
    assert long == {}


# inputs as files


def test_inputs_lie_as_files_named_for_what_they_are(scripts: ScriptBench, tmp_path: Path) -> None:
    # Given results of every kind
    numpy = pytest.importorskip("numpy")
    (tmp_path / "wine.csv").write_text("a,b\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_text("1")
    stored = [Stored(store_value(scripts.blobs, each)) for each in (1, tmp_path / "wine.csv")]
    inputs = {
        "plain": {"a": 1}, "constant": Value([1]), "array": numpy.arange(3), "blob": b"bytes",
        "table": tmp_path / "wine.csv", "model": tmp_path / "model",
        "many": Items("list", (*stored, Value("x"))),
        "keyed": Entries({"a/b": stored[0], "c": stored[1]}),
    }  # fmt: skip
    text = 'cd "$TREADLE_INPUTS_DIR" && find -L . -type f | sort > "$TREADLE_OUTPUT_FOUND"'

    # When a script looks at them
    made = scripts.outputs(text, "work.sh", inputs=inputs, outputs=("found",))

    # Then each has the ending of what it is
    assert made["found"].read_text().split() == [
        "./array.npy", "./blob.pickle5", "./constant.json", "./keyed/a%2Fb.json", "./keyed/c.csv",
        "./many/0.json", "./many/1.csv", "./many/2.json", "./model/model/weights", "./plain.json",
        "./table/wine.csv",
    ]  # fmt: skip


def test_python_gets_inputs_as_the_values_they_were(scripts: ScriptBench, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    (tmp_path / "wine.csv").write_text("a,b\n")
    array = numpy.arange(100_000)
    stored = Stored(store_value(scripts.blobs, array))
    inputs = {
        "array": array, "table": tmp_path / "wine.csv", "odd": {1, 2},
        "many": Items("tuple", (stored, Value({"x": None}))), "keyed": Entries({"k/1": stored}),
    }  # fmt: skip
    text = """
import pathlib, treadle
i = treadle.inputs
assert sorted(i) == ["array", "keyed", "many", "odd", "table"] and len(i) == 5 and "odd" in i
assert i["array"].sum() == 4999950000 and i["array"] is i["array"] and i["odd"] == {1, 2}
i["array"][0] = 7  # its own copy
assert i["table"] == i.path("table") == pathlib.Path(i.path("table")) and i["table"].read_text()
assert i["many"][0].sum() == 4999950000 and i["many"][1] == {"x": None}
assert list(i["keyed"]) == ["k/1"] and i.path("keyed").is_dir()
try:
    i["arary"]
except KeyError as error:
    treadle.output(str(error))
"""
    made = scripts.outputs(text, inputs=inputs)
    assert made["result"] == "There is no input 'arary'. Did you mean 'array'?"
    assert load_value(scripts.blobs, stored.ref).sum() == array.sum()


def test_large_inputs_are_not_copied_and_cannot_be_spoiled(
    scripts: ScriptBench, tmp_path: Path
) -> None:
    # Given a file of a megabyte that another step made
    (tmp_path / "big.bin").write_bytes(bytes(1_000_000))
    ref = store_value(scripts.blobs, tmp_path / "big.bin")
    write = "open(treadle.inputs.path('big'), 'r+b').write(b'x')"

    # When a script writes into it as anybody, it may not
    failure = scripts.failure(f"import os, treadle\nos.setuid(65534)\n{write}", inputs={"big": ref})
    assert "PermissionError" in failure.message

    # And as root, which may do everything, it fails, and what it spoiled is forgotten
    link = next((tmp_path / "scratch").glob("*/attempt-1/inputs/big/big.bin"))
    assert link.is_symlink()
    failure = scripts.failure(f"import treadle\n{write}", inputs={"big": ref})
    if "PermissionError" not in failure.message:
        assert "wrote into its input big.bin" in failure.message
        assert not scripts.blobs.has(ref.digest)


def test_an_input_that_is_gone_is_told(scripts: ScriptBench, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(bytes(1_000_000))
    ref = store_value(scripts.blobs, tmp_path / "big.bin")
    scripts.blobs.delete(ref.digest)
    failure = scripts.failure("", inputs={"big": ref})
    assert ref.digest in failure.message
    assert failure.hint == "Run again what made it."


# outputs


def test_an_output_is_found_by_name_by_file_and_by_name_before_the_ending(
    scripts: ScriptBench,
) -> None:
    text = """
cd "$TREADLE_OUTPUTS_DIR"
echo a > plain; echo b > table.csv; mkdir folder; echo c > folder/x; echo d > .hidden
"""
    made = scripts.outputs(text, "work.sh", outputs=("plain", "table", "folder"))
    assert sorted(made) == ["folder", "plain", "table"]
    assert made["table"].name == "table.csv"
    assert (made["folder"] / "x").read_text() == "c\n"


def test_an_output_that_is_missing_fails_the_step_and_names_what_is_there(
    scripts: ScriptBench,
) -> None:
    failure = scripts.failure("import treadle; treadle.output(1, 'modle')", outputs=("model",))
    assert failure.type == FailureType.USER
    assert failure.message == "The script made no output 'model'. It made 'modle'."
    assert failure.hint.startswith("Did you mean 'modle'?")
    assert "$TREADLE_OUTPUT_MODEL" in failure.hint


@pytest.mark.parametrize("file", ["../../facts", "/etc/hostname", "."])
def test_the_file_of_an_output_lies_in_the_step_s_own_folder(
    scripts: ScriptBench, file: str
) -> None:
    failure = scripts.failure("pass", outputs=("table",), output_files={"table": file})
    assert failure.type == FailureType.BUILD
    assert failure.message == f"{file!r} is no name for an output: it leads elsewhere."


def test_an_input_is_laid_out_under_a_name_of_its_own_only(scripts: ScriptBench) -> None:
    file = scripts.folder / "table.csv"
    file.write_text("1")
    ref = store_value(scripts.blobs, file)
    elsewhere = replace(ref, codec="path:..%2F..%2Felsewhere.csv")
    failure = scripts.failure("pass", inputs={"table": elsewhere})
    assert "is not the name of a file" in failure.message
    assert not list(scripts.folder.rglob("elsewhere.csv"))


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"args": ["${parameters.text}"]}, "'a\\x00b' cannot be an argument."),
        ({"variables": {"TEXT": "${parameters.text}"}}, "The variable 'TEXT' cannot be set."),
        ({"variables": {"A=B": "text"}}, "The variable 'A=B' cannot be set."),
        ({"args": ["\ud800"]}, "'\\ud800' cannot be an argument."),
    ],
)
def test_text_that_no_process_can_be_given_is_named(
    scripts: ScriptBench, wanted: dict[str, Any], says: str
) -> None:
    failure = scripts.failure("true", "work.sh", parameters={"text": "a\0b"}, **wanted)
    assert (failure.type, failure.message) == (FailureType.BUILD, says)


def test_a_disk_that_is_full_before_the_script_starts_is_named(
    scripts: ScriptBench, tmp_path: Path
) -> None:
    with disk_of("1m", tmp_path / "disk") as disk:
        wanted: dict[str, Any] = {
            "scratch_dir": str(disk / "scratch"),
            "inputs": {"text": Value("x" * 2_000_000)},
        }
        failure = scripts.failure("pass", **wanted)
    assert failure.type == FailureType.BUILD
    assert failure.message.startswith("The script cannot be given its files: ")
    assert "No space left on device" in failure.message


def test_one_output_is_made_once(scripts: ScriptBench) -> None:
    again = "import treadle\ntreadle.output(1)\ntreadle.output(2)"
    assert "was made already" in scripts.failure(again).message
    both = """
import os, treadle
open(os.environ["TREADLE_OUTPUT_A"], "w").close()
treadle.output(1, "a")
"""
    assert "was made twice" in scripts.failure(both, outputs=("a",)).message


def test_a_file_given_as_output_is_kept_as_it_was_then(scripts: ScriptBench) -> None:
    text = """
import os, pathlib, tempfile, treadle
with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder, "a.txt")
    file.write_text("then")
    treadle.output(file, "a")
    treadle.output(pathlib.Path(folder), "folder")
    file.write_text("later")
place = pathlib.Path(os.environ["TREADLE_OUTPUT_B"])
place.write_text("in place")
treadle.output(place, "b")
"""
    made = scripts.outputs(text, outputs=("a", "b", "folder"))
    assert sorted(made) == ["a", "b", "folder"]
    assert (made["a"].name, made["a"].read_text()) == ("a.txt", "then")
    assert (made["folder"] / "a.txt").read_text() == "then"
    assert made["b"].read_text() == "in place"


def test_what_cannot_be_an_output_is_refused(scripts: ScriptBench) -> None:
    for name in ("''", "'a/b'", "'.x'", "3"):
        assert "output: " in scripts.failure(f"import treadle; treadle.output(1, {name})").message
    assert (
        "cannot be stored"
        in scripts.failure("import treadle; treadle.output(x for x in 'a')").message
    )
    pipe = scripts.failure("mkfifo $TREADLE_OUTPUT_A", "work.sh", outputs=("a",))
    assert "neither a file nor a folder" in pipe.message
    link = scripts.failure("ln -s nowhere $TREADLE_OUTPUT_A", "work.sh", outputs=("a",))
    assert "cannot be read" in link.message


# notes


def test_lines_that_are_no_notes_are_told_once_and_do_no_harm(
    scripts: ScriptBench, capsys: pytest.CaptureFixture[str]
) -> None:
    text = r"""
exec 3>> "$TREADLE_NOTES"
printf 'nonsense\n[1]\n{"metric": 3}\n{"metric": "x", "value": "1"}\n\n{"progress": null}\n' >&3
head -c 200000 /dev/zero >&3; echo >&3
printf '\377\n{"metric": "ok", "value": 1, "step": 2}\n{"metric": "last", "value": NaN}' >&3
"""
    scripts.outputs(text, "work.sh")
    told = scripts.ear.told[1:]
    assert told[0] == ("metric", "ok", 1.0, 2)
    assert told[1][:2] == ("metric", "last")
    assert capsys.readouterr().err.count("[treadle: this line") == 1


def test_many_notes_at_once_are_all_heard(scripts: ScriptBench) -> None:
    text = "import treadle\nfor n in range(20000): treadle.log_metric('loss', n, step=n)"
    scripts.outputs(text)
    assert [note[2] for note in scripts.ear.told[1:]] == list(map(float, range(20000)))


def test_a_held_back_progress_is_told_at_the_end(scripts: ScriptBench) -> None:
    scripts.outputs("import treadle\nfor n in range(100): treadle.progress(n, 99)")
    assert scripts.ear.told[-1] == ("progress", 99.0, 99.0)


def test_a_pipe_that_others_keep_open_holds_nobody_up(scripts: ScriptBench) -> None:
    text = """
(exec 3>> "$TREADLE_NOTES"; touch "$TREADLE_SCRATCH_DIR/open"
 for n in $(seq 1000); do test -e "$TREADLE_NOTES" || break; sleep 0.01; done
 while echo '{"metric": "late", "value": 1}' >&3; do :; done) > /dev/null 2>&1 &
until test -e "$TREADLE_SCRATCH_DIR/open"; do sleep 0.01; done
"""
    assert scripts.perform(text, "work.sh").outcome == "completed"


# other interpreters


@pytest.mark.parametrize("version", INTERPRETERS)
def test_a_script_works_in_an_interpreter_without_treadle(
    scripts: ScriptBench, version: str
) -> None:
    # Given a Python in which nothing is installed, and a script that uses all there is
    text = """
import os, pathlib, sys, sibling
assert "treadle" not in sys.modules and sys.argv[1:] == ["x"] and __name__ == "__main__"
assert sys.path[0] == os.path.dirname(__file__) == os.getcwd()
import treadle
treadle.log_metric("m", 1)
treadle.output([*treadle.inputs["data"], treadle.inputs["odd"], treadle.parameters["p"]], "all")
treadle.output((1, 2), "pair")
pathlib.Path(os.environ["TREADLE_OUTPUT_FILE"]).write_text("x")
treadle.output("%d.%d" % sys.version_info[:2])
try:
    treadle.parameters["q"]
except KeyError as error:
    print(error)
"""
    # When it is performed with it
    made = scripts.outputs(
        text, environment=Environment(interpreter=python_of(version)), args=["x"],
        inputs={"data": [1], "odd": (3, 4)}, parameters={"p": None},
        outputs=("all", "file", "pair"), files={"sibling.py": ""},
    )  # fmt: skip

    # Then it was that Python, and all arrived as it should
    assert made.pop("file").read_text() == "x"
    assert made == {"all": made["all"], "pair": (1, 2), "result": version}
    assert made["all"] == [1, (3, 4), None]
    assert ("metric", "m", 1.0, None) in scripts.ear.told


@pytest.mark.parametrize("version", INTERPRETERS)
@pytest.mark.parametrize(
    "text", ["def f():\n    {}['x']\nf()", "x = (", "raise SystemExit('text')", "def f(): f()\nf()",
             "import atexit\natexit.register(print, 'end')\nraise KeyboardInterrupt"]
)  # fmt: skip
def test_another_interpreter_says_and_ends_the_same_as_alone(
    scripts: ScriptBench, version: str, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    python = python_of(version)
    failure = scripts.failure(text, environment=Environment(interpreter=python))
    said = capfd.readouterr()
    digest = scripts.script(text).code.digest
    file = scripts.folder / "snapshots" / digest / "work.py"
    alone = subprocess.run([python, file], capture_output=True, text=True, check=False)

    assert (said.out, said.err) == (alone.stdout, alone.stderr)
    assert failure.certificate is not None
    end = failure.certificate.exit_code or -(failure.certificate.signal or 0)
    assert end == alone.returncode
    assert failure.type == FailureType.USER


def test_an_environment_may_be_a_virtual_environment(scripts: ScriptBench, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    environment = Environment(interpreter=str(tmp_path / "venv"))
    text = "import sys, treadle; treadle.output([sys.prefix, sys.base_prefix])"
    made = scripts.outputs(text, environment=environment)
    assert made["result"] == [str(tmp_path / "venv"), sys.base_prefix]

    bash = 'command -v python > "$TREADLE_OUTPUT_A"; echo "$VIRTUAL_ENV" >> "$TREADLE_OUTPUT_A"'
    made = scripts.outputs(bash, "work.sh", environment=environment, outputs=("a",))
    prefix = tmp_path / "venv"
    assert made["a"].read_text().split() == [str(prefix / "bin/python"), str(prefix)]


def test_an_interpreter_that_is_not_there_is_told(scripts: ScriptBench) -> None:
    failure = scripts.failure("", environment=Environment(interpreter="/no/such/python"))
    assert failure.type == FailureType.BUILD
    assert failure.message == "There is no Python interpreter at /no/such/python."


@pytest.mark.parametrize(
    "file", [*ANYWHERE, *sorted(f"codecs/{p.name}" for p in (SRC / "codecs").glob("*.py"))]
)
def test_what_a_script_imports_is_python_3_8(file: str) -> None:
    ast.parse((SRC / file).read_text(), feature_version=(3, 8))


def test_a_script_run_by_hand_works_without_a_job(tmp_path: Path) -> None:
    text = """
import treadle
assert treadle.parameters.get("rate", 0.5) == 0.5 and dict(treadle.inputs) == {}
treadle.output(1, "model"); treadle.log_metric("a", 1); treadle.progress(1)
assert treadle.inputs.get("data") is None
treadle.inputs["data"]
"""
    (tmp_path / "work.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "work.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "There is no input 'data': this is not run as a step." in done.stderr
