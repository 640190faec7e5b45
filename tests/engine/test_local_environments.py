"""Environments are built once per content; functions run in them, in slots kept warm."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from engine.pythons import need_index, other_python, python, wheel
from engine.workbench import Floor, Story, Workbench, alive
from treadle.engine.local.builders import find_uv
from treadle.model.orders import AttemptKey, Delayed, Started
from treadle.model.records import Code, Environment, FailureType


@pytest.fixture
def cellar(tmp_path: Path) -> Path:
    """A folder for environments."""
    return tmp_path / "environments"


def _delays(story: Story) -> list[str]:
    return [note.reason for note in story.notes if isinstance(note, Delayed)]


def _with(folder: Path, name: str, word: str = "hello") -> Environment:
    """An environment with one package of its own."""
    path = wheel(folder / "wheels", name, f"WORD = {word!r}\n")
    return Environment(requirements=(f"{name} @ {path.as_uri()}",))


def word() -> object:
    import sys

    import tinywords

    return [sys.prefix, tinywords.WORD]


def test_the_first_job_waits_for_the_build_and_the_next_finds_it(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    need_index()
    environment = _with(tmp_path, "tinywords")

    async def scene(floor: Floor) -> list[Story]:
        digest = bench.code(word)
        wanted = {"digest": digest, "environment": environment}
        return [await floor.run(word, **wanted), await floor.run(word, **wanted)]

    first, second = bench.play(scene, environments=cellar)
    prefix, said = first.result
    assert said == "hello"
    assert Path(prefix).is_relative_to(cellar)
    assert _delays(first) == ["build"]
    assert b"tinywords" in first.printed("err")
    assert [type(note) for note in first.notes].index(Started) > 0
    assert _delays(second) == []
    assert second.result == first.result
    assert second.pid == first.pid  # warm

    # An engine that comes later finds it too.
    third = bench.play(lambda floor: floor.run(word, environment=environment), environments=cellar)
    assert _delays(third) == []
    assert third.result == first.result


def test_jobs_that_want_the_same_share_one_build(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    need_index()
    environment = _with(tmp_path, "tinywords")

    async def scene(floor: Floor) -> list[Story]:
        digest = bench.code(word)
        keys = [floor.start(word, digest=digest, environment=environment) for _ in range(2)]
        return [await floor.ended(key) for key in keys]

    stories = bench.play(scene, environments=cellar)
    assert [_delays(story) for story in stories] == [["build"], ["build"]]
    assert stories[0].result == stories[1].result
    assert len([path for path in cellar.iterdir() if not path.name.startswith(".")]) == 1


def test_requirements_that_do_not_resolve_are_a_build_failure_and_are_tried_again(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    need_index()
    (tmp_path / "wheels").mkdir()
    lines = ("--no-index", f"-f {tmp_path}/wheels", "tinywords==7", "cloudpickle==0")
    environment = Environment(requirements=lines)

    async def scene(floor: Floor) -> list[Story]:
        digest = bench.code(word)
        wanted = {"digest": digest, "environment": environment}
        return [await floor.run(word, **wanted), await floor.run(word, **wanted)]

    first, second = bench.play(scene, environments=cellar)
    failure = first.failure
    assert failure.type == FailureType.BUILD
    assert failure.message.startswith("The environment cannot be built: No solution found")
    assert "tinywords" in failure.message or "cloudpickle" in failure.message
    assert "\n" not in failure.message
    assert failure.hint
    assert "No solution found" in failure.certificate.last_lines
    assert b"No solution found" in first.printed("err")
    assert _delays(second) == ["build"]
    assert second.failure == failure


def test_constraints_hold(bench: Workbench, cellar: Path, tmp_path: Path) -> None:
    need_index()
    for version in ("1.0", "2.0"):
        wheel(tmp_path / "wheels", "tinywords", f"WORD = {version!r}\n", version)
    lines = (f"-f {tmp_path}/wheels", "tinywords", "-c tinywords<2")
    environment = Environment(requirements=lines)
    story = bench.play(lambda floor: floor.run(word, environment=environment), environments=cellar)
    assert story.result[1] == "1.0"


def _slow(folder: Path) -> tuple[Environment, Path]:
    """An environment whose build waits for ever, and the file in which it says who it is."""
    said = folder / "pid"
    os.mkfifo(said)
    source = folder / "slow"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        "[project]\nname='slow'\nversion='1'\n"
        "[build-system]\nrequires=[]\nbuild-backend='backend'\nbackend-path=['.']\n"
    )
    (source / "backend.py").write_text(
        "import os, time\n"
        "def build_wheel(*a, **k):\n"
        f"    open({str(said)!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
    )
    return Environment(requirements=(f"slow @ {source.as_uri()}",)), said


async def _builder(said: Path) -> int:
    """The process that is building, once it is."""
    return int(await anyio.to_thread.run_sync(said.read_text))


def test_an_abort_while_building_ends_the_build_that_nobody_else_wants(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    need_index()
    environment, said = _slow(tmp_path)

    async def scene(floor: Floor) -> tuple[Story, Story, bool, bool]:
        digest = bench.code(word)
        keys = [floor.start(word, digest=digest, environment=environment) for _ in range(2)]
        pid = await _builder(said)
        floor.engine.abort(keys[0], grace_seconds=1)
        first = await floor.ended(keys[0])
        went_on = alive(pid)
        floor.engine.abort(keys[1], grace_seconds=1)
        return first, await floor.ended(keys[1]), went_on, alive(pid)

    first, second, went_on, left = bench.play(scene, environments=cellar)
    assert (first.report.outcome, second.report.outcome) == ("aborted", "aborted")
    assert went_on
    assert not left


def test_an_engine_that_is_left_ends_the_build(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    need_index()
    environment, said = _slow(tmp_path)

    async def scene(floor: Floor) -> int:
        floor.start(word, environment=environment)
        return await _builder(said)

    assert not alive(bench.play(scene, environments=cellar))


def test_a_build_that_is_killed_leaves_a_draft_that_is_built_anew(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    need_index()
    environment, said = _slow(tmp_path)
    key = environment.key

    async def killed(floor: Floor) -> Story:
        attempt = floor.start(word, environment=environment)
        os.kill(await _builder(said), signal.SIGKILL)
        return await floor.ended(attempt)

    failure = bench.play(killed, environments=cellar).failure
    (folder,) = cellar.glob(f"{key}*")
    assert failure.type == FailureType.BUILD
    assert not (folder / "environment.json").exists()
    assert (folder / "build.log").read_text()

    # The same requirements, which can be built by now.
    backend = tmp_path / "slow" / "backend.py"
    text = backend.read_text()
    backend.write_text(_BACKEND)
    assert text != _BACKEND
    story = bench.play(
        lambda floor: floor.run(slow_word, environment=environment), environments=cellar
    )
    assert story.result == "slowly"
    assert (folder / "environment.json").exists()


def test_a_build_that_never_ends_is_ended(
    bench: Workbench, cellar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_index()
    monkeypatch.setattr("treadle.engine.local.builds.LIMIT_SECONDS", 3.0)
    environment, said = _slow(tmp_path)

    async def scene(floor: Floor) -> tuple[Story, bool]:
        attempt = floor.start(word, environment=environment)
        pid = await _builder(said)
        return await floor.ended(attempt), alive(pid)

    story, left = bench.play(scene, environments=cellar)
    assert story.failure.type == FailureType.BUILD
    assert story.failure.message == "The environment cannot be built: It was not ready after 3s."
    assert not left


_BACKEND = """
import zipfile, os
def build_wheel(folder, *a, **k):
    name = "slow-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as z:
        z.writestr("slow.py", "WORD = 'slowly'")
        z.writestr("slow-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1\\n")
        z.writestr("slow-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        z.writestr("slow-1.dist-info/RECORD", "slow.py,,\\n")
    return name
"""  # noqa: E501


def slow_word() -> str:
    import slow

    return slow.WORD


def test_a_function_runs_in_another_python(bench: Workbench, cellar: Path, tmp_path: Path) -> None:
    need_index()
    program = other_python()
    path = wheel(tmp_path / "wheels", "elsewhere", _ELSEWHERE)
    environment = Environment(python=program, requirements=(f"elsewhere @ {path.as_uri()}",))
    code = Code(kind="snapshot", digest="", entry="elsewhere:main")

    async def scene(floor: Floor) -> list[Story]:
        wanted = {"code": code, "environment": environment}
        stories = [await floor.run("main", arguments={}, **wanted) for _ in range(2)]
        return [
            *stories,
            await floor.run(
                "fail",
                arguments={},
                environment=environment,
                code=Code(kind="snapshot", digest="", entry="elsewhere:fail"),
            ),
        ]

    first, second, failed = bench.play(scene, environments=cellar)
    assert tuple(first.result["version"]) != sys.version_info[:2]
    assert first.result["ours"] == []
    assert first.printed("out") == b"said elsewhere\n"
    assert second.pid == first.pid
    assert failed.failure.message == "ValueError: no"


_ELSEWHERE = f"""
import sys
def main():
    print("said elsewhere")
    here = [path for path in sys.path if path.startswith({sys.prefix!r}) and "lent" not in path]
    return dict(version=list(sys.version_info[:2]), ours=here)
def fail():
    raise ValueError("no")
"""


def test_an_existing_interpreter_of_our_version_borrows_what_slots_import(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    bare = _bare(tmp_path, sys.executable)

    def where() -> list[object]:
        import importlib.util
        import sys

        return [sys.prefix, importlib.util.find_spec("msgspec") is None]

    story = bench.play(
        lambda floor: floor.run(where, environment=Environment(interpreter=bare)),
        environments=cellar,
    )
    assert story.result == [str(tmp_path / "bare"), True]


def _bare(folder: Path, program: str) -> str:
    """An empty virtual environment."""
    command = [program, "-m", "venv", "--without-pip", str(folder / "bare")]
    subprocess.run(command, check=True)
    return str(folder / "bare" / "bin" / "python")


def test_another_python_without_the_packages_is_told_with_the_next_step(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    bare = _bare(tmp_path, other_python())
    environment = Environment(interpreter=bare)
    failure = bench.play(
        lambda floor: floor.run(word, environment=environment), environments=cellar
    ).failure
    assert failure.type == FailureType.BUILD
    assert "It has no package" in failure.message
    assert "Install cloudpickle and blake3 there" in failure.hint


def test_a_python_that_is_too_old_for_functions_is_told(bench: Workbench, cellar: Path) -> None:
    environment = Environment(interpreter=python("3.10"))
    failure = bench.play(
        lambda floor: floor.run(word, environment=environment), environments=cellar
    ).failure
    assert failure.type == FailureType.BUILD
    assert "It is Python 3.10; functions need 3.11 or newer." in failure.message
    assert failure.hint == "Make the step a script, or use Python 3.11 or newer."


def test_a_function_by_value_cannot_change_its_python(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    need_index()
    environment = Environment(python=other_python())
    failure = bench.play(
        lambda floor: floor.run(word, environment=environment), environments=cellar
    ).failure
    assert failure.type == FailureType.BUILD
    assert "module of the project" in failure.hint


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python", "/etc/hostname"])
def test_what_is_no_python_is_told(bench: Workbench, cellar: Path, program: str) -> None:
    environment = Environment(interpreter=program)

    async def scene(floor: Floor) -> list[Story]:
        digest = bench.code(word)
        wanted = {"digest": digest, "environment": environment}
        return [await floor.run(word, **wanted), await floor.run(word, **wanted)]

    failure, again = (story.failure for story in bench.play(scene, environments=cellar))
    assert failure.type == FailureType.BUILD
    assert program in failure.message
    assert failure.hint
    assert again == failure


def test_a_lost_fork_server_takes_only_its_own_slots_with_it(
    bench: Workbench, cellar: Path, tmp_path: Path
) -> None:
    bare = _bare(tmp_path, sys.executable)

    def wait(go: str) -> str:
        import os
        import pathlib
        import subprocess

        child = subprocess.Popen(["sleep", "300"])
        print(os.getppid(), child.pid, flush=True)
        pathlib.Path(go).read_text()
        child.kill()
        child.wait()
        return "went on"

    async def scene(floor: Floor) -> tuple[Story, Story, Story, bool, bool]:
        digest = bench.code(wait)
        gates = [str(tmp_path / name) for name in ("own", "other")]
        for gate in gates:
            os.mkfifo(gate)
        other = Environment(interpreter=bare)
        own_key = floor.start(wait, gates[0], digest=digest)
        other_key = floor.start(wait, gates[1], digest=digest, environment=other)
        own, lost = await floor.printed(own_key, b"\n"), await floor.printed(other_key, b"\n")
        (own_server, own_child), (server, child) = (
            map(int, story.printed().split()) for story in (own, lost)
        )
        os.kill(server, signal.SIGKILL)
        await floor.ended(other_key)
        spared = alive(own_server) and alive(own_child)
        swept = not alive(child)
        await anyio.Path(gates[0]).write_text("go")
        await floor.ended(own_key)
        again_key = floor.start(wait, gates[1], digest=digest, environment=other)
        await floor.printed(again_key, b"\n")
        await anyio.Path(gates[1]).write_text("go")
        return own, lost, await floor.ended(again_key), spared, swept

    own, lost, again, spared, swept = bench.play(scene, environments=cellar)
    assert lost.report.outcome == "lost"
    assert spared and swept
    assert (own.result, again.result) == ("went on", "went on")


def test_an_idle_interpreter_is_given_up(bench: Workbench, cellar: Path, tmp_path: Path) -> None:
    bare = _bare(tmp_path, sys.executable)

    def server() -> int:
        import os

        return os.getppid()

    async def scene(floor: Floor) -> bool:
        story = await floor.run(server, environment=Environment(interpreter=bare))
        end = os.pidfd_open(story.result)
        with anyio.fail_after(60):
            await anyio.wait_readable(end)
        os.close(end)
        return alive(story.pid)

    assert not bench.play(scene, environments=cellar, idle_seconds=0.1)


def test_without_uv_the_next_step_is_told(
    bench: Workbench, cellar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treadle.engine.local.builders.find_uv", lambda: None)
    environment = Environment(requirements=("six",))
    failure = bench.play(
        lambda floor: floor.run(word, environment=environment), environments=cellar
    ).failure
    assert failure.type == FailureType.BUILD
    assert failure.hint == "pip install 'treadle[environments]'"


def test_a_folder_that_nobody_can_write_is_a_build_failure(
    bench: Workbench, tmp_path: Path
) -> None:
    if find_uv() is None:
        pytest.skip("uv is not installed")
    (tmp_path / "environments").write_text("a file")
    failure = bench.play(
        lambda floor: floor.run(word, environment=Environment(requirements=("six",))),
        environments=tmp_path / "environments",
    ).failure
    assert failure.type == FailureType.BUILD
    assert failure.hint == "The data directory has to be writable."


def test_an_abort_of_what_is_not_there_is_ignored(bench: Workbench, cellar: Path) -> None:
    async def scene(floor: Floor) -> None:
        floor.engine.abort(AttemptKey("job_none", 1), grace_seconds=0)

    bench.play(scene, environments=cellar)
