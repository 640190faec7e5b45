"""The fences that no linter has."""

from pathlib import Path

import pytest

from benchmarks.rows import ROWS, Row

ROOT = Path(__file__).parents[2]
LIMIT = 500
REASON = "Longer than 500 lines because"
FOLDERS = ("src", "tests", "benchmarks", "examples", "docs", "scripts")


def python_files() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return [path for path in found if ".venvs" not in path.parts]


def test_no_file_is_longer_than_500_lines_without_saying_why() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {len(lines)} lines"
        for path in python_files()
        if len(lines := path.read_text().splitlines()) > LIMIT
        and not any(REASON in line for line in lines[:20])
    ]

    assert too_long == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "src").rglob("*.py")
        if not path.read_text().lstrip().startswith('"""')
    ]

    assert silent == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_of_the_benchmarks_has_its_scripts_and_a_budget(row: Row) -> None:
    for contender in (row.ours, *row.peers):
        assert (ROOT / "benchmarks" / contender.script).is_file()
    assert (row.at_most is None) != (row.at_least is None)
