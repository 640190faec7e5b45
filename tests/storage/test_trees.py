"""Folders are taken away at once, and removed though they are read-only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.storage.trees import TAKEN, remove_tree, taken_away


def test_a_folder_is_taken_away_whole(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "a.py").touch()
    taken = taken_away(folder)
    assert taken is not None
    assert taken.name.startswith(TAKEN)
    assert [path.name for path in taken.iterdir()] == ["a.py"]
    assert not folder.exists()
    assert taken_away(folder) is None


def test_who_is_not_root_can_remove_read_only_folders_too(tmp_path: Path) -> None:
    folder = tmp_path / "code" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.py").touch()
    folder.chmod(0o555)
    folder.parent.chmod(0o555)
    if os.getuid() == 0:
        _remove_as_somebody_else(tmp_path)
    else:
        remove_tree(tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def _remove_as_somebody_else(place: Path) -> None:
    nobody = 65534
    for path in (place, *place.rglob("*")):
        os.chown(path, nobody, nobody)
    code = (
        "import os, sys; from treadle.storage.trees import remove_tree; import treadle.errors\n"
        f"os.chdir({str(place)!r}); os.setgid({nobody}); os.setuid({nobody}); remove_tree('code')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if "PermissionError" in done.stderr:
        pytest.skip("this root may not become somebody else")
    assert done.returncode == 0, done.stderr
