"""Built environments that nobody uses any more are removed, and only those."""

import os
import shutil
import time
from pathlib import Path

import pytest

from treadle.model.bindings import Value
from treadle.model.records import Code, Environment, Pipeline, Step, Submission, Tool
from treadle.storage.environments import EnvironmentFolders, name_of

DAY = 86400


@pytest.fixture
def folders(client) -> EnvironmentFolders:
    root = client.link.settings.data_dir / "environments"
    shutil.rmtree(root, ignore_errors=True)
    return EnvironmentFolders(root)


def _built(folders: EnvironmentFolders, environment: Environment, *, days: float) -> Path:
    """An environment last used so many days ago."""
    folder = folders.folder(environment)
    (folder / "venv" / "bin").mkdir(parents=True)
    (folder / "venv" / "bin" / "python").write_text("")
    folders.finish(environment)
    _age(folder / "environment.json", days)
    return folder


def _age(path: Path, days: float) -> None:
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))


def _two_steps(environment: Environment) -> Submission:
    """A step that takes ten minutes, and one in the environment that waits for it."""
    code = Code(kind="snapshot", digest="", entry="subprocess:call")
    first = Tool(id="tool-first", name="first", version="1", code=code)
    second = Tool(id="tool-second", name="second", version="1", code=code, environment=environment)
    arguments = {"args": Value(["sleep", "600"])}
    steps = (
        Step(name="first", tool_id=first.id, arguments=arguments),
        Step(name="second", tool_id=second.id, arguments=arguments, after=("first",)),
    )
    pipeline = Pipeline(name="two", version="1", tools=(first, second), steps=steps)
    return Submission(pipeline=pipeline)


def test_an_environment_is_removed_when_it_was_not_used_for_long(http, folders):
    old = _built(folders, Environment(requirements=("a",)), days=31)
    young = _built(folders, Environment(requirements=("b",)), days=29)
    (old / "venv").chmod(0o500)
    assert http.post("/gc", json={"dry_run": True}).json()["environments"] == 1
    assert old.exists()
    assert http.post("/gc", json={}).json()["environments"] == 1
    assert [path.name for path in folders.root.iterdir()] == [young.name]


def test_using_an_environment_renews_it(http, folders):
    environment = Environment(requirements=("a",))
    folder = _built(folders, environment, days=31)
    assert folders.python(environment) == str(folder / "venv" / "bin" / "python")
    assert http.post("/gc", json={}).json()["environments"] == 0


def test_an_environment_of_a_job_that_has_not_ended_stays(client, http, folders):
    environment = Environment(requirements=("a",))
    folder = _built(folders, environment, days=31)
    run = client.submit(_two_steps(environment))
    assert http.post("/gc", json={}).json()["environments"] == 0
    assert folder.exists()
    client.abort(run.id, grace_seconds=0)
    run.wait()
    assert http.post("/gc", json={}).json()["environments"] == 1


def test_what_was_left_half_built_is_removed_after_an_hour(http, folders):
    for name, hours in (("0a-cpython-311", 2), ("0b-cpython-311", 0.5)):
        (folders.root / name).mkdir(parents=True)
        (folders.root / name / "build.log").write_text("Resolved")
        _age(folders.root / name, hours / 24)
    (folders.root / ".lent").mkdir()
    assert http.post("/gc", json={}).json()["environments"] == 1
    assert sorted(path.name for path in folders.root.iterdir()) == [".lent", "0b-cpython-311"]


def test_an_environment_without_its_base_python_is_built_again(folders):
    environment = Environment(requirements=("a",))
    folder = _built(folders, environment, days=0)
    (folder / "venv" / "bin" / "python").unlink()
    (folder / "venv" / "bin" / "python").symlink_to("/nowhere/python")
    assert folders.python(environment) is None


def test_the_engines_own_python_is_part_of_the_name_where_none_is_given():
    assert "-cpython-3" in name_of(Environment(requirements=("a",)))
    assert "-" not in name_of(Environment(requirements=("a",), python="3.12"))


def test_an_environment_that_is_used_while_others_are_removed_stays(folders):
    # Given two that were not used for long
    first, second = (Environment(requirements=(name,)) for name in "ab")
    for environment in (first, second):
        _built(folders, environment, days=31)
    names = folders.unused(30)
    # When one is used before its turn has come
    assert folders.python(second) is not None
    # Then
    assert folders.remove(names, 30) == 1
    assert [path.name for path in folders.root.iterdir()] == [name_of(second)]
