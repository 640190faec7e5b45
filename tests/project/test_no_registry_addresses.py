"""Where packages come from is each machine's own business: no file here may say it."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(
    "|".join(
        (
            r"pypi\.(org|python)",
            r"python" + r"hosted\.org",
            r"index" + r"-url",
            r"--find" + r"-links",
            r"registry\." + r"npmjs",
        )
    ),
    re.IGNORECASE,
)


def tracked_files() -> list[Path]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in names.decode().split("\0") if name]


def test_no_file_names_a_package_registry() -> None:
    named = []
    for path in tracked_files():
        if path == Path(__file__) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        named += [f"{path}: {hit.group()}" for hit in ADDRESS.finditer(text)]

    assert named == []


def test_the_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[\w.+!-]+", line)] == []
