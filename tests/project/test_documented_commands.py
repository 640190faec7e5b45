"""The commands of pages that begin with `treadle init` work, one after another."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FIRST = "treadle init"
PAGES = [
    page
    for page in sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
    if f"\n$ {FIRST} " in page.read_text() and "&&" not in page.read_text()
]


def commands_of(page: Path) -> list[list[str]]:
    """From the first `treadle init` on, without comments."""
    lines = [
        shlex.split(line.removeprefix("$ "), comments=True)
        for block in CONSOLE.findall(page.read_text())
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    start = next(i for i, words in enumerate(lines) if words[:2] == FIRST.split())
    return lines[start:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_work_one_after_another(page: Path, tmp_path: Path) -> None:
    environment = os.environ | {"TREADLE_DATA_DIR": str(tmp_path / "data"), "TREADLE_SLOTS": "2"}
    folder = tmp_path
    for program, *arguments in commands_of(page):
        if program == "cd":
            folder /= arguments[0]
            continue
        assert program == "treadle"
        done = subprocess.run(
            [sys.executable, "-m", "treadle", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"


def test_there_are_such_pages() -> None:
    assert {page.parent.name for page in PAGES} >= {"start", "how-to"}
