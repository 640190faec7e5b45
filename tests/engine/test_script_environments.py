"""Scripts run in environments too; their slots stay clean, and their last words are told."""

import sys
from pathlib import Path

import pytest

from engine.pythons import need_index, other_python, wheel
from engine.workbench import Floor, Story, Workbench
from treadle.model.bindings import Binding, Value
from treadle.model.orders import Delayed, Order
from treadle.model.records import Code, Environment, FailureType


@pytest.fixture
def cellar(tmp_path: Path) -> Path:
    return tmp_path / "environments"


def _script(bench: Workbench, name: str, text: str, **wanted: object) -> Order:
    """An order for a script in a folder of its own."""
    folder = bench.folder / "project"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    arguments: dict[str, Binding] = {
        "inputs": Value({}), "parameters": Value({}), "args": Value([])
    }  # fmt: skip
    code = Code(kind="snapshot", digest="", entry=name, project_dir=str(folder))
    return bench.order(name, arguments=arguments, kind="script", code=code, outputs=(), **wanted)


async def _run(floor: Floor, order: Order) -> Story:
    floor.engine.start(order)
    return await floor.ended(order.attempt)


PRINT = "import sys, tinywords\nprint(sys.version_info[:2], tinywords.WORD, sys.prefix)\n"


def test_a_python_script_runs_in_an_environment_of_another_python(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    need_index()
    package = wheel(tmp_path / "wheels", "tinywords", "WORD = 'hello'\n")
    environment = Environment(
        python=other_python(), requirements=(f"tinywords @ {package.as_uri()}",)
    )
    order = _script(bench, "show.py", PRINT, environment=environment)
    story = bench.play(lambda floor: _run(floor, order), environments=cellar)
    said = story.printed("out").decode()
    assert story.report.outcome == "completed", story.report
    assert any(isinstance(note, Delayed) for note in story.notes)
    assert "hello" in said and str(cellar) in said
    assert str(sys.version_info[:2]) not in said


def test_a_bash_script_finds_the_programs_of_its_environment(
    bench: Workbench, cellar: Path
) -> None:
    need_index()
    environment = Environment(requirements=("cloudpickle",))
    order = _script(bench, "which.sh", "command -v python\n", environment=environment)
    story = bench.play(lambda floor: _run(floor, order), environments=cellar)
    assert story.printed("out").decode().startswith(str(cellar))


def test_an_exit_code_comes_with_the_last_words(bench: Workbench) -> None:
    order = _script(bench, "fail.sh", "echo one\necho 'no such table' >&2\nexit 3\n")
    failure = bench.play(lambda floor: _run(floor, order)).failure
    assert failure.type == FailureType.USER
    assert failure.message == "fail.sh ended with exit code 3: no such table"
    assert failure.certificate.exit_code == 3
    assert sorted(failure.certificate.last_lines.split("\n")) == ["", "no such table", "one"]


def test_a_message_that_says_enough_is_left_as_it_is(bench: Workbench) -> None:
    order = _script(bench, "fail.py", "import sys\nsys.exit('no such table')\n")
    failure = bench.play(lambda floor: _run(floor, order)).failure
    assert failure.message.count("no such table") == 1


def test_a_script_gets_its_secrets_and_its_words_are_masked(bench: Workbench) -> None:
    text = "import os, sys\nprint(os.environ['KEY'])\nsys.exit('bad ' + os.environ['KEY'])\n"
    order = _script(bench, "leak.py", text, secrets={"KEY": "s3cr3t-w0rd"})
    story = bench.play(lambda floor: _run(floor, order))
    assert story.printed("out") == b"***\n"
    assert "s3cr3t-w0rd" not in repr(story.notes)
    assert "bad ***" in story.failure.message
    for path in Path(order.scratch_dir).rglob("*"):
        assert not path.is_file() or b"s3cr3t-w0rd" not in path.read_bytes()


def test_scripts_share_a_warm_slot(bench: Workbench) -> None:
    async def scene(floor: Floor) -> list[Story]:
        orders = [
            _script(bench, f"{n}.py", "import os\nprint(os.getppid(), flush=True)") for n in (1, 2)
        ]
        return [await _run(floor, order) for order in orders]

    first, second = bench.play(scene)
    assert first.printed("out") == second.printed("out")


def test_a_timeout_ends_a_script_with_all_it_started(bench: Workbench) -> None:
    order = _script(bench, "long.sh", "sleep 600 & sleep 600\n", timeout_seconds=0.3)
    failure = bench.play(lambda floor: _run(floor, order)).failure
    assert failure.type == FailureType.TIMEOUT
    assert failure.certificate.signal == 15
