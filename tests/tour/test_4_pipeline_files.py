"""Chapter 4. A pipeline can be a file beside the code: scripts, functions, any interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

from treadle.client import Client
from treadle.model.records import FailureType

EXAMPLES = Path(__file__).parents[2] / "examples"
SYSTEM_PYTHON = Path("/usr/bin/python3")


def project(folder: Path, **files: str) -> Path:
    """A folder with these files; `_` in a name stands for the dot."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder / "treadle.yaml"


def test_a_script_is_told_what_it_is_given_and_keeps_what_it_makes(
    t: Client, tmp_path: Path
) -> None:
    file = project(
        tmp_path,
        greet_py="import treadle\n"
        "p = treadle.parameters\n"
        "treadle.output([f'hello {p[\"name\"]}'] * p['times'], 'lines')\n",
        treadle_yaml="steps:\n"
        "  greet: {script: greet.py, parameters: {name: world, times: 2}, outputs: [lines]}\n",
    )

    run = t.run(file)

    assert run.state == "completed"
    assert run["greet"].result("lines") == ["hello world"] * 2


def test_a_script_needs_no_treadle_its_inputs_and_outputs_are_files(
    t: Client, tmp_path: Path
) -> None:
    file = project(
        tmp_path,
        words_sh='printf "%s\\n" one two three >"$1"\n',
        count_py="import sys\nprint(len(open(sys.argv[1]).readlines()), 'words')\n",
        treadle_yaml="steps:\n"
        '  words: {script: words.sh, args: ["${outputs.list}"], outputs: [list]}\n'
        '  count: {script: count.py, args: ["${inputs.list}"], inputs: {list: words.list}}\n',
    )

    run = t.run(file)

    assert b"".join(run.logs("count")) == b"3 words\n"


def test_a_parameter_keeps_its_type_and_mistakes_are_told_with_their_place(
    t: Client, tmp_path: Path
) -> None:
    file = project(
        tmp_path,
        half_py="def half(x):\n    return x / 2\n",
        treadle_yaml="parameters: {x: 3}\n"
        "steps:\n"
        '  half: {function: "half:half", parameters: {x: "${x}"}}\n',
    )

    assert t.run(file, x=5)["half"].result() == 2.5
    assert t.options(text_parameters={"x": "9"}).run(file)["half"].result() == 4.5
    with pytest.raises(Exception, match=r"expected integer, got 'six'"):
        t.options(text_parameters={"x": "six"}).run(file)


# The examples


def test_scripts_only_tells_wines_apart(t: Client) -> None:
    pytest.importorskip("sklearn", reason="the example trains models with scikit-learn")

    run = t.run(EXAMPLES / "scripts-only/treadle.yaml", neighbours=7)

    assert run.state == "completed"
    assert all(score > 0.85 for score in run["train"].result("scores"))
    assert run["train"].result("model").predict([[13.0] * 13]).shape == (1,)
    report = run["report"].result("report").read_text()
    assert "178 wines, each judged by 7 neighbours" in report
    accuracies = [m for m in run.metrics() if m.name == "accuracy"]
    assert [m.step for m in accuracies] == [1, 2, 3, 4, 5]


def test_functions_and_scripts_run_in_a_python_built_for_them(t: Client) -> None:
    run = t.run(EXAMPLES / "functions-and-scripts/treadle.yaml")

    failure = run["load"].failure
    if failure is not None and failure.type is FailureType.BUILD and "online" in failure.hint:
        pytest.skip(f"its Python cannot be built without a network: {failure.message}")
    assert run.state == "completed"
    assert [step.name for step in run.steps] == ["load", "split", "train", "report"]
    assert len(run["split"].result()["test"]) == 45
    assert b"training with 1 thread\n" in b"".join(run.logs("train"))
    assert b"the model takes" in b"".join(run.logs("report"))
    assert all(m.value > 0.8 for m in run.metrics())


@pytest.mark.skipif(
    not SYSTEM_PYTHON.exists(), reason="there is no second Python, /usr/bin/python3, here"
)
def test_bash_and_two_pythons_agree(t: Client) -> None:
    version = [SYSTEM_PYTHON, "-c", "import platform; print(platform.python_version())"]
    system = subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip()

    run = t.run(EXAMPLES / "bash-and-two-pythons/treadle.yaml", throws=1200)

    assert run.state == "completed"
    counts = run["count"].result("counts")
    assert sum(counts.values()) == 1200
    assert run["count-again"].result("counts") == counts
    assert f"Python {sys.version.split()[0]} at".encode() in b"".join(run.logs("count"))
    assert f"Python {system} at /usr/bin/".encode() in b"".join(run.logs("count-again"))
    assert {(m.name, m.value) for m in run["throw"].metrics()} == {("throws", 1200.0)}


@pytest.mark.parametrize(
    "readme", sorted(EXAMPLES.glob("*/README.md")), ids=lambda p: p.parent.name
)
def test_examples_have_a_root_of_their_own(readme: Path) -> None:
    assert (readme.parent / "treadle.toml").is_file()
