"""The file itself: where it is, what kind, how large, in which encoding."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.errors import InvalidDefinition, NotFound, TooLarge
from treadle.formats import native
from treadle.formats.reading import LARGEST_BYTES

STEPS = "steps: {a: {command: [ls]}}\n"


def load(file: Path) -> native.Loaded:
    return native.load(native.Place(file=file))


def test_a_file_that_is_not_there_is_told_with_the_nearest_that_is(tmp_path: Path) -> None:
    (tmp_path / "treadle.yaml").write_text(STEPS)
    with pytest.raises(NotFound) as caught:
        load(tmp_path / "tradle.yaml")
    assert caught.value.sentence == "There is no file tradle.yaml. Did you mean 'treadle.yaml'?"


def test_a_file_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no folder .*/nowhere either"):
        load(tmp_path / "nowhere" / "treadle.yaml")


def test_a_folder_is_no_pipeline_file(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").mkdir()
    with pytest.raises(InvalidDefinition, match=r"flow.yaml: it is a folder"):
        load(tmp_path / "flow.yaml")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "flow.yaml")
    with pytest.raises(InvalidDefinition, match="would be waited for"):
        load(tmp_path / "flow.yaml")


def test_ten_megabytes_are_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_bytes(b"# " + b"x" * (LARGEST_BYTES + 2_000_000) + b"\n")
    with pytest.raises(TooLarge) as caught:
        load(file)
    assert caught.value.sentence == (
        "flow.yaml has 10.0 MB; a pipeline file has at most 8. "
        "Put data into files of its own, and name them in the steps."
    )


def test_bytes_that_are_no_utf_8_are_told_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_bytes("steps:\n  a: {command: [ls, 'Größe']}\n".encode("latin-1"))
    with pytest.raises(InvalidDefinition) as caught:
        load(file)
    assert caught.value.sentence == (
        "flow.yaml:2:24: byte 0xf6 is not UTF-8 text. Save the file as UTF-8."
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_utf_8_and_utf_16_are_understood(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "flow.yaml"
    file.write_bytes(STEPS.encode(encoding))
    assert [step.name for step in load(file).pipeline.steps] == ["a"]


@contextlib.contextmanager
def not_root() -> Iterator[None]:
    """For a while this process is nobody, if it was root, who may read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_file_that_may_not_be_read_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = Path(folder) / "flow.yaml"
        file.write_text(STEPS)
        file.chmod(0)
        refused = pytest.raises(InvalidDefinition, match="it cannot be read: Permission denied")
        with not_root(), refused:
            load(file)


def test_json_is_read_by_its_ending(tmp_path: Path) -> None:
    file = tmp_path / "flow.json"
    file.write_text('{"steps": {"a": {"command": ["ls", "\\ud83d\\ude00"]}}}')
    (tool,) = load(file).pipeline.tools
    assert tool.name == "ls"
