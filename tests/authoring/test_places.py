"""Places are told relative to the project, whose folder is the nearest with a mark."""

from collections.abc import Callable
from pathlib import Path

import pytest

from treadle.authoring import places

Write = Callable[..., Path]


@pytest.mark.parametrize("mark", places.PROJECT_MARKS)
def test_the_project_is_the_nearest_folder_with_a_mark(
    write: Write, tmp_path: Path, mark: str
) -> None:
    file = write("inner/deep/pipeline.py", "")
    assert places.project_dir(file) == tmp_path

    write(f"inner/{mark}", "")

    assert places.project_dir(file) == tmp_path / "inner"


def test_files_are_shown_relative_to_their_project(write: Write) -> None:
    file = write("deep/pipeline.py", "")

    assert places.shown(str(file)) == "deep/pipeline.py"
    assert places.shown("<stdin>") == "<stdin>"
    assert places.shown("/tmp/ipykernel_12/345.py") == "<cell>"


def test_an_unpacked_snapshot_stands_for_the_folder_it_was_made_of(write: Write) -> None:
    file = write("project/deep/pipeline.py", "")
    write("project/treadle.toml", "")

    with places.standing_for("/snapshots/abc", str(file.parent)):
        assert places.shown("/snapshots/abc/pipeline.py") == "deep/pipeline.py"
    with places.standing_for("/snapshots/abc", "examples"):
        assert places.shown("/snapshots/abc/pkg/a.py") == "examples/pkg/a.py"
        assert places.shown(str(file)) == "deep/pipeline.py"
