"""Which program performs a script step: a Python, bash, the file itself, or a command."""

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from treadle.errors import InvalidDefinition
from treadle.model.graph import nearest
from treadle.model.records import Environment

_AS_MAIN = str(Path(__file__).with_name("as_main.py"))
_SHELLS = (".sh", ".bash")
_NO_TEXT = (
    "Names hold no =, and neither variables nor arguments a NUL character or half of a surrogate "
    "pair: pass such text as a parameter, or as an input."
)


class Program(NamedTuple):
    """What to execute. fork: Python in this interpreter instead, `argv` being the script's."""

    path: str
    argv: list[str]
    fork: bool = False


def of_script(
    script: Path,
    arguments: Sequence[str],
    environment: Environment,
    variables: Mapping[str, str],
    facts: Path,
) -> Program:
    """The program that performs a script, by what its name ends in.

    facts: where a Python script's end is noted. Raises InvalidDefinition if there is none.
    """
    path = str(script)
    if script.suffix == ".py":
        if not environment.interpreter:
            return Program(path, [path, *arguments], fork=True)
        python = interpreter_in(environment)
        return Program(python, [python, _AS_MAIN, str(facts), path, *arguments])
    if script.suffix in _SHELLS:
        shell = find("bash", variables) or find("sh", variables)
        if shell is None:
            raise InvalidDefinition("There is neither bash nor sh on this machine.")
        return Program(shell, [os.path.basename(shell), path, *arguments])
    if not os.stat(path).st_mode & 0o111:
        raise InvalidDefinition(
            f"{script.name} may not be executed.",
            hint=f"Allow it (`chmod +x {script.name}`), or give it the ending of what it is "
            "written in: .py or .sh.",
        )
    return Program(path, [path, *arguments])


def command(arguments: Sequence[str], variables: Mapping[str, str], folder: str) -> Program:
    """The program that a command names, on the PATH of its variables."""
    if not arguments:
        raise InvalidDefinition("The command is empty.", hint="Say which program to run.")
    name = arguments[0]
    path = os.path.join(folder, name) if "/" in name else find(name, variables)
    if path is None or not os.path.exists(path):
        known = _programs(variables) if "/" not in name else ()
        raise InvalidDefinition(
            f"There is no program {name!r} here.",
            hint=nearest(name, known) if known else "Is the path right?",
        )
    if os.path.isdir(path) or not os.access(path, os.X_OK):
        raise InvalidDefinition(f"{name} may not be executed.", hint=f"Try `chmod +x {name}`.")
    return Program(path, list(arguments))


def check_texts(program: Program, variables: Mapping[str, str]) -> None:
    """Raise InvalidDefinition for what no process can be given. A variable's text is not shown, as
    it may be secret."""
    for name, text in variables.items():
        if not name or "=" in name or not _can_be_given(name + text):
            raise InvalidDefinition(f"The variable {name!r} cannot be set.", hint=_NO_TEXT)
    for text in () if program.fork else program.argv:
        if not _can_be_given(text):
            raise InvalidDefinition(f"{text!r} cannot be an argument.", hint=_NO_TEXT)


def _can_be_given(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def interpreter_in(environment: Environment) -> str:
    """The Python of an environment: an executable, or that of a prefix folder."""
    given = os.path.expanduser(environment.interpreter)
    if not os.path.isdir(given):
        candidates = [given]
    else:
        candidates = [os.path.join(given, "bin", name) for name in ("python", "python3")]
    for path in candidates:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise InvalidDefinition(
        f"There is no Python interpreter at {environment.interpreter}.",
        hint="Give a Python executable, a virtual environment or a conda prefix.",
    )


def find(name: str, variables: Mapping[str, str]) -> str | None:
    """The program of that name on the PATH."""
    for folder in _path(variables):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def why_not(error: OSError, program: Program) -> InvalidDefinition:
    """What kept the program from being executed, in words."""
    name = os.path.basename(program.path)
    if error.errno == errno.E2BIG:
        return InvalidDefinition(
            f"The arguments and variables of {name} are too long.",
            hint="Pass large values as inputs, or in a file.",
        )
    first = _first_line(program.path)
    if first.endswith(b"\r") and first.startswith(b"#!"):
        return InvalidDefinition(
            f"{name} cannot be executed: its lines end as on Windows, and so its first line names "
            "no program that exists.",
            hint=f"Convert it (`sed -i 's/\\r$//' {name}`) and tell your editor.",
        )
    if first.startswith(b"#!"):
        interpreter = first[2:].strip().decode("utf-8", "replace").partition(" ")[0]
        return InvalidDefinition(
            f"{name} cannot be executed: {interpreter!r}, which its first line names, "
            f"gave: {error.strerror}.",
            hint="Install it, or correct the first line; `#!/usr/bin/env NAME` finds NAME.",
        )
    if error.errno == errno.ENOEXEC:
        return InvalidDefinition(
            f"{name} is no program, and no script that says what it is written in.",
            hint="Begin it with a line such as `#!/bin/bash`, or give it the ending .py or .sh.",
        )
    return InvalidDefinition(f"{name} cannot be executed: {error.strerror}.")


def has_windows_lines(path: Path) -> bool:
    return _first_line(str(path)).endswith(b"\r")


def _first_line(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(512).partition(b"\n")[0]


def _path(variables: Mapping[str, str]) -> list[str]:
    return [each for each in variables.get("PATH", os.defpath).split(os.pathsep) if each]


def _programs(variables: Mapping[str, str]) -> set[str]:
    folders = [folder for folder in _path(variables) if os.path.isdir(folder)]
    return {entry.name for folder in folders for entry in os.scandir(folder)}
