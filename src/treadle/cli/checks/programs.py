"""Optional parts: modules and programs that some steps need, and how to get each."""

import concurrent.futures
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from treadle.cli.checks.finding import Finding, absent, doubtful, good
from treadle.engine.local.builders import find_uv
from treadle.server.settings import Settings

ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Part:
    """names: the first that is there counts."""

    purpose: str
    how: str
    names: tuple[str, ...] = ()


MODULES = {
    "pyarrow": Part("tables as Arrow between steps", "pip install 'treadle[arrow]'"),
    "numpy": Part("arrays between steps", "pip install numpy"),
    "pandas": Part("pandas tables between steps", "pip install pandas"),
    "polars": Part("Polars tables between steps", "pip install polars"),
    "sklearn": Part("the examples", "pip install scikit-learn"),
}
PROGRAMS = {
    "uv": Part("building environments", "pip install 'treadle[environments]'"),
    "git": Part("which commit a run was of", "Install git with your system's packages."),
    "bash": Part("steps that are shell scripts", "Install bash with your system's packages."),
    "conda": Part(
        "environments of an environment.yml",
        "Install micromamba, or list the packages under `requirements`.",
        ("micromamba", "mamba", "conda"),
    ),
    "docker": Part(
        "containers, which no step uses yet", "Install Docker or Podman.", ("docker", "podman")
    ),
}


def examine(settings: Settings) -> Iterator[Finding]:
    """Programs are asked for their versions side by side: some take a second to answer."""
    with concurrent.futures.ThreadPoolExecutor(thread_name_prefix="doctor") as pool:
        asked = [pool.submit(_program, name, part) for name, part in PROGRAMS.items()]
        pythons = pool.submit(_pythons)
        yield from (_module(name, part) for name, part in MODULES.items())
        yield from (each.result() for each in asked)
        yield pythons.result()
    yield from _preloaded(settings)


def _module(name: str, part: Part) -> Finding:
    if importlib.util.find_spec(name) is None:
        return absent(name, f"for {part.purpose}", part.how)
    from importlib import metadata  # noqa: PLC0415 - 10 ms that other commands do not need

    names = metadata.packages_distributions().get(name, [name])
    return good(name, f"{metadata.version(names[0])}, for {part.purpose}")


def _program(name: str, part: Part) -> Finding:
    found = find_uv() if name == "uv" else _first(part.names or (name,))
    if found is None:
        return absent(name, f"for {part.purpose}", part.how)
    version = version_of(found)
    if not version:
        hint = f"Try it: {found} --version"
        return doubtful(name, f"{found} does not answer, for {part.purpose}", hint)
    return good(name, f"{version} at {found}, for {part.purpose}")


def _first(names: tuple[str, ...]) -> str | None:
    return next((path for path in map(shutil.which, names) if path), None)


def version_of(program: str) -> str:
    """What it says of its version; "" if it does not answer in time."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace",
            timeout=ANSWER_SECONDS, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = re.search(r"\d+(\.\d+)+\S*", done.stdout + done.stderr)
    return said[0].rstrip(",)") if said and done.returncode == 0 else ""


def _pythons() -> Finding:
    """Interpreters that an environment may be built with, by version."""
    found = interpreters()
    if found:
        said = ", ".join(f"{version} ({path})" for version, path in sorted(found.items(), key=_key))
        return good("interpreters", said)
    return absent("interpreters", "none beside this one", "uv fetches others: `python: '3.12'`.")


def interpreters() -> dict[str, str]:
    """Version ("3.12") -> path; those on the PATH first, then pyenv's."""
    found: dict[str, str] = {}
    for folder in os.get_exec_path():
        for path in sorted(Path(folder).glob("python3.*")):
            if re.fullmatch(r"python3\.\d+", path.name) and os.access(path, os.X_OK):
                if "shims" not in path.parts:
                    found.setdefault(path.name.removeprefix("python"), str(path))
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for path in sorted(root.glob("3.*/bin/python"), reverse=True):
        version = ".".join(path.parts[-3].split(".")[:2])
        found.setdefault(version, str(path))
    return found


def _key(item: tuple[str, str]) -> tuple[int, ...]:
    return tuple(int(part) for part in item[0].split(".") if part.isdigit())


def _preloaded(settings: Settings) -> Iterator[Finding]:
    missing = [name for name in settings.preload if importlib.util.find_spec(name) is None]
    if missing:
        hint = "Take it out of `preload`, or install it here."
        yield doubtful("preload", f"{', '.join(missing)}: not installed", hint)
    elif settings.preload:
        yield good("preload", ", ".join(settings.preload))
