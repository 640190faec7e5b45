"""The peers' virtual environments: made when first needed, under benchmarks/.venvs."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import CannotMeasure

HERE = Path(__file__).parent / ".venvs"

PEERS = {
    "ray": ("ray==2.60.0", "numpy==2.4.6"),
    "celery": ("celery==5.7.0", "redis==8.1.0", "packaging==26.3"),
    "redun": ("redun==0.44.1",),
    "prefect": ("prefect==3.8.8", "fastapi==0.139.0"),  # later ones know no `min_items`
}


def python_of(environment: str | None) -> str:
    """The interpreter of a peer's environment, which is made if need be; None: this one.

    Raises CannotMeasure when it cannot be set up here.
    """
    if environment is None:
        return sys.executable
    folder, wanted = HERE / environment, "\n".join(PEERS[environment])
    ready = folder / "ready"
    if not ready.is_file() or ready.read_text() != wanted:
        print(f"Setting up {environment} in {folder} (once)", file=sys.stderr, flush=True)
        _make(folder, PEERS[environment])
        ready.write_text(wanted)
    return str(folder / "bin" / "python")


def _make(folder: Path, requirements: tuple[str, ...]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    # Our own pip installs into the new environment: Debian's Python may come without ensurepip.
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise CannotMeasure(f"cannot be installed here: {' '.join(last)}")
