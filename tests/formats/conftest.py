"""Fixtures for tests of pipeline files."""

from pathlib import Path

import pytest

from formats.projects import PREPARE, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "project")
    made.write("treadle.toml", "")
    for name in ("load.py", "train.py"):
        made.write(name, "print('here')\n")
    made.write("report.sh", "echo here\n")
    made.write("prepare.py", PREPARE)
    return made
