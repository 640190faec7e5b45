"""What is installed has what is not Python, too."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "treadle"


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    # When the wheel is built, in a process of its own
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )

    # Then all files of the package are in it: templates of projects, statements, migrations
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"treadle/{path.relative_to(PACKAGE)}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(name.endswith("templates/scripts/treadle.yaml") for name in wanted)
    assert wanted - held == set()
