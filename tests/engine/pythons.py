"""Other Pythons of this machine, an index of packages made by hand, and what needs either."""

import os
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest

from treadle.engine.local.builders import find_uv

_NAMES = "3.11", "3.12", "3.13", "3.14"


@cache
def python(version: str) -> str:
    """A Python of this version that is no virtual environment; skips the test without one."""
    candidates = [shutil.which(f"python{version}")]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates += [str(path) for path in sorted(root.glob(f"{version}*/bin/python"))]
    for candidate in candidates:
        if candidate and _version(candidate) == version:
            return candidate
    pytest.skip(f"there is no Python {version} here")


def other_python() -> str:
    """A Python from 3.11 that is not the one that runs the tests."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for version in _NAMES:
        if version != own:
            try:
                return python(version)
            except pytest.skip.Exception:
                continue
    pytest.skip("there is no other Python from 3.11 here")


def _version(program: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([program, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@cache
def _index_answers() -> str:
    """ "" if packages can be had here, or why not."""
    uv = find_uv()
    if uv is None:
        return "uv is not installed"
    command = [uv, "pip", "compile", "--quiet", "--no-cache", "-"]
    done = subprocess.run(
        command, input="cloudpickle", capture_output=True, text=True, check=False, timeout=90
    )
    return "" if done.returncode == 0 else "no package index can be reached"


def need_index() -> None:
    """Skip the test where cloudpickle and blake3 cannot be had."""
    if why := _index_answers():
        pytest.skip(why)


def wheel(folder: Path, name: str, code: str, version: str = "1.0") -> Path:
    """A package of one module."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(file, text)
    return path
