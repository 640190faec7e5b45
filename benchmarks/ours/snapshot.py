"""A snapshot of an unchanged project of 10,000 files, and asking the server whether it has it.

TREADLE_BENCH_FILES takes fewer.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import treadle
from benchmarks.timing import repeat, say_median
from treadle.authoring.bundles import Bundle, bundle
from treadle.authoring.index import TICK_NS
from treadle.client.uploads import upload_bundle

FILES, TO_A_FOLDER = int(os.environ.get("TREADLE_BENCH_FILES", "10000")), 20
RULES = "*.log\nbuild/\n/data/*\n!/data/keep\n*.egg-info/\n**/tmp/\n"


def a_project(root: Path) -> Path:
    """Its pipeline's file."""
    for number in range(FILES):
        folder = root / f"package{number // 500}" / f"part{number // TO_A_FOLDER % 25}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"module_{number}.py").write_text(f"VALUE = {number}\n" * 20)
    (root / ".gitignore").write_text(RULES)
    (root / "pyproject.toml").touch()
    (root / "flow.py").touch()
    names = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for command in (["init", "-q"], ["add", "."], [*names, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root / "flow.py"


def main() -> None:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
    file = a_project(Path(tempfile.mkdtemp()))
    # Younger files are read again, as a change within the tick of a clock would not show.
    time.sleep(TICK_NS / 1e9 + 0.1)
    with treadle.local(slots=1, data_dir=tempfile.mkdtemp()) as local:

        def send(made: Bundle) -> None:
            local.door(lambda api: upload_bundle(api, made))

        start = time.perf_counter()
        send(bundle(file))
        first = time.perf_counter() - start
        samples = repeat(lambda _: send(bundle(file)), times=9, warm_ups=2)
    say_median(samples, first_seconds=first)


main()
