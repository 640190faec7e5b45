"""How an environment is built: with uv from requirements, with a tool of conda's from its file."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from treadle.engine.local.pip_settings import uv_variables
from treadle.errors import Unavailable
from treadle.model.records import Environment
from treadle.storage.environments import PREFIX

#: What the process that runs functions there imports, beside the standard library.
SLOT_PACKAGES = "cloudpickle", "blake3"
_CONDA_TOOLS = "micromamba", "mamba", "conda"
_BARE_VERSION = re.compile(r"3\.\d+(\.\d+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Files to write into the folder, then commands to run there with these variables."""

    files: dict[str, str]
    commands: list[list[str]]
    variables: dict[str, str] = field(default_factory=dict)


def recipe_for(environment: Environment) -> Recipe:
    """How to build it. Raises Unavailable where the tool is missing."""
    return _with_conda(environment) if environment.conda else _with_uv(environment)


def _with_uv(environment: Environment) -> Recipe:
    uv = find_uv()
    if uv is None:
        raise Unavailable(
            "uv, which builds environments, is not installed.",
            hint="pip install 'treadle[environments]'",
        )
    constraints, lines, flags = _sorted(environment.requirements)
    python = _python(environment.python)
    create = [uv, "venv", "--quiet", "--no-project", "--python", python, PREFIX]
    install = [uv, "pip", "install", "--python", f"{PREFIX}/bin/python", *flags, *SLOT_PACKAGES]
    files = {}
    for option, wanted in (("requirements", lines), ("constraints", constraints)):
        if wanted:
            files[f"{option}.txt"] = _text(wanted)
            install += [f"--{option}", f"{option}.txt"]
    return Recipe(files=files, commands=[create, install], variables=_uv_environment())


def _with_conda(environment: Environment) -> Recipe:
    found = ((name, shutil.which(name)) for name in _CONDA_TOOLS)
    name, tool = next(((name, path) for name, path in found if path), ("", None))
    if tool is None:
        raise Unavailable(
            "An environment.yml needs micromamba, mamba or conda, and none is on the PATH.",
            hint="Install micromamba, or list the packages under `requirements`.",
        )
    verb = ["create", "-y"] if name == "micromamba" else ["env", "create"]
    commands = [[tool, *verb, "--prefix", PREFIX, "--file", "environment.yml"]]
    if uv := find_uv():
        commands.append([uv, "pip", "install", "--python", f"{PREFIX}/bin/python", *SLOT_PACKAGES])
    return Recipe(
        files={"environment.yml": environment.conda},
        commands=commands,
        variables={"CONDA_ALWAYS_YES": "1", **_uv_environment()},
    )


def find_uv() -> str | None:
    """The program of the uv package, or the one on the PATH."""
    if importlib.util.find_spec("uv") is not None:
        import uv  # noqa: PLC0415 - an optional extra

        try:
            return os.fspath(uv.find_uv_bin())
        except FileNotFoundError:
            pass  # the package without its program: the PATH may still have one
    return shutil.which("uv")


def _uv_environment() -> dict[str, str]:
    return {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", **uv_variables(os.environ)}


def _python(version: str) -> str:
    """What uv is to take: the engine's own without a version. uv sees no Python of pyenv that is
    not the shell's present one, so that is looked up here."""
    if not version:
        return sys.executable
    if not _BARE_VERSION.match(version):
        return version
    known = shutil.which("python" + ".".join(version.split(".")[:2]))
    if known and "shims" not in Path(known).parts:
        return version
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [*root.glob(f"{version}/bin/python"), *root.glob(f"{version}.*/bin/python")]
    return str(max(found, key=_release)) if found else version


def _release(python: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", python.parts[-3]))


def _sorted(requirements: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """(constraints, lines of a requirements file, options that uv takes on its command line)."""
    constraints, lines, flags = [], [], []
    for line in requirements:
        option, _, value = line.partition(" ")
        if option == "-c":
            constraints.append(value)
        elif option == "--pre":
            flags.append("--prerelease=allow")
        elif option.startswith("--trusted-host"):
            host = value or option.partition("=")[2]
            flags.append(f"--allow-insecure-host={host.strip()}")
        else:
            lines.append(line)
    return constraints, lines, flags


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
