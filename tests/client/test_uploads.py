"""The code of a run reaches the house whole, and only what is missing is sent."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from blake3 import blake3

from treadle.authoring.bundles import bundle
from treadle.client import Client, progress
from treadle.client.uploads import upload_bundle
from treadle.errors import Conflict, TreadleError

FLOW = """
from pathlib import Path
from treadle import pipeline, tool

@tool
def wait(gate: str):
    return Path(gate).read_text() if gate else ""

@tool
def beside(text: str) -> str:
    from package.words import WORD
    return text + WORD + str(Path(__file__).with_name("large.csv").stat().st_size)

@pipeline
def flow(gate: str = ""):
    return beside(wait(gate))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with its packages in src, and a data file that is large enough to be linked."""
    folder = tmp_path / "project"
    (folder / "src/package").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    (folder / "src/flow.py").write_text(FLOW)
    (folder / "src/package/__init__.py").touch()
    (folder / "src/package/words.py").write_text("WORD = 'ward '\n")
    with (folder / "src/large.csv").open("wb") as file:
        file.truncate(11_000_000)
    return folder


def send(client, path: Path) -> str:
    made = bundle(path)
    client.door(lambda api: upload_bundle(api, made))
    return made.digest


def test_only_what_is_missing_is_sent(client, project, monkeypatch):
    asked: list[str] = []
    request = type(client.door.api.wire).request

    async def noted(wire, method, path, **options):
        asked.append(method + path)
        return await request(wire, method, path, **options)

    monkeypatch.setattr(type(client.door.api.wire), "request", noted)
    digest = send(client, project / "src/flow.py")
    first = list(asked)
    asked.clear()
    send(client, project / "src/flow.py")

    assert [each[:10] for each in first] == ["POST/snaps", "POST/snaps", "POST/blobs", "POST/snaps"]
    assert asked == [f"POST/snapshots/{digest}"]


def test_a_large_file_of_code_is_streamed(client, project):
    data = b"#" * 3_000_000
    (project / "src/generated.py").write_bytes(data)
    send(client, project / "src/flow.py")
    found = client.door(lambda api: api.blob(blake3(data).hexdigest()))
    assert bytes(found) == data


@pytest.mark.parametrize("house", ["client", "remote"])
def test_how_far_an_upload_is_is_told_from_nothing_to_all_that_was_missing(
    request, project, house, monkeypatch
):
    # Given a link that is asked to tell each step of the way
    monkeypatch.setattr(progress, "TELL_SECONDS", 0.0)
    client, told = request.getfixturevalue(house), []
    monkeypatch.setattr(client.link, "on_uploading", told.append)
    send(client, project / "src/flow.py")
    told.clear()
    # When several files are missing, a large one among them
    sizes = [100_000, 200_000, 300_000, 3_000_000]
    for number, size in enumerate(sizes):
        (project / f"src/more_{number}.py").write_bytes(os.urandom(size))
    send(client, project / "src/flow.py")
    # Then it is told piece by piece, of the missing ones alone
    done = [each.done for each in told]
    assert {each.total for each in told} == {sum(sizes)}
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, sum(sizes))
    assert [each.is_over for each in told].count(True) == 1
    assert len({size for size in done if size > sum(sizes[:3])}) == 3  # pieces of the large one
    assert 0 < min(size for size in done if size) <= sum(sizes[:3])
    # And nothing of what is there
    told.clear()
    send(client, project / "src/flow.py")
    assert told == []


def test_what_is_sent_twice_is_counted_once(server, proxy, project, monkeypatch):
    monkeypatch.setattr(progress, "TELL_SECONDS", 0.0)
    (project / "src/twice.py").write_bytes(os.urandom(3_000_000))
    made, told = bundle(project / "src/flow.py"), []
    with Client(proxy.url, server.token) as client:
        client.link.on_notice = lambda text: None

        def note(each):
            told.append(each)
            if each.done and not proxy.cuts:
                proxy.cut()

        client.link.on_uploading = note
        client.door(lambda api: upload_bundle(api, made))
    assert proxy.cuts
    assert max(each.done for each in told) == told[-1].done == told[-1].total


def test_it_is_told_a_few_times_a_second_at_most(monkeypatch):
    now, told = [0.0], []
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    counted = progress.Progress(1_024, told.append)
    for done in range(1, 1_025):
        now[0] = done / 1_024
        counted.reach(done)
    counted.end()
    assert [each.done for each in told] == [0, 205, 410, 615, 820, 1_024]


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize("change", ["edited", "removed"])
def test_a_file_that_changes_before_it_is_sent_is_named(client, project, size, change):
    path = project / "src/other.py"
    path.write_bytes(os.urandom(size))
    made = bundle(project / "src/flow.py")
    path.write_bytes(b"#" * size) if change == "edited" else path.unlink()
    with pytest.raises(Conflict, match=r"other\.py changed while it was uploaded"):
        client.door(lambda api: upload_bundle(api, made))


def test_a_run_has_the_code_of_its_submission_whatever_becomes_of_the_project(
    client, project, gate
):
    # Given a run whose second step has yet to import its modules
    run = client.submit(project / "src/flow.py", gate=str(gate))
    # When the project's code is removed, and the first step ends
    for path in (project / "src/package").iterdir():
        path.unlink()
    (project / "src/flow.py").unlink()
    gate.write_text("on")
    # Then the second step finds them all the same, and its data too
    assert run.wait().output == "onward 11000000"
    assert run.record.source.root == str(project)
    assert run.record.source.file == "src/flow.py"


def test_linked_data_that_changes_before_a_step_fails_that_step(client, project, gate):
    run = client.submit(project / "src/flow.py", gate=str(gate))
    with gate.open("w") as opened:  # the first step is at work
        with (project / "src/large.csv").open("ab") as file:
            file.write(b"more")
        opened.write("on")
    run.wait()
    failure = run["beside"].failure
    assert failure.type == "build"
    assert "The data file src/large.csv" in failure.message
    assert "11,000,000 bytes and has 11,000,004" in failure.message
    assert "Run it again" in failure.hint
    with pytest.raises(TreadleError):
        run["beside"].result()


@pytest.mark.parametrize("harm", ["damaged", "lost"])
@pytest.mark.parametrize("what", ["a file", "the manifest"])
def test_code_that_is_damaged_in_the_store_is_sent_again_with_the_next_run(
    client, project, harm, what
):
    # Given code that is harmed after it was sent
    file = project / "src/package/words.py"
    file.write_text(f"WORD = 'ward '  # {what} {harm}\n")
    digest = send(client, project / "src/flow.py")
    if what == "a file":
        digest = blake3(file.read_bytes()).hexdigest()
    blob = client.link.settings.data_dir / "blobs" / digest[:2] / digest
    blob.unlink()
    if harm == "damaged":
        blob.write_text("{}")
    # When it is run, and run again if that fails
    try:
        run = client.submit(project / "src/flow.py")
    except TreadleError:
        run = client.submit(project / "src/flow.py")
    # Then
    assert run.wait().output == "ward 11000000"
