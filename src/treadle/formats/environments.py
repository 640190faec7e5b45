"""From what a definition says of an environment to an Environment that names no file any more.

All files are read now, so that the run keeps what was meant when it was submitted.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.formats import pyprojects
from treadle.formats.files import DISK, Files
from treadle.formats.requirement_files import Site, check_credentials, read_file, read_lines
from treadle.model.graph import nearest
from treadle.model.records import Environment

OPTIONS = "requirements", "pyproject", "extras", "groups", "python", "interpreter", "conda"
_VERSION = re.compile(r"[A-Za-z0-9<>=!~][A-Za-z0-9@.+<>=!~,_-]*$")
_BARE_VERSION = re.compile(r"\d+(\.\d+)*$")


def read_environment(
    options: str | Mapping[str, Any], folder: Path, where: str = "", files: Files = DISK
) -> Environment:
    """The environment that the options ask for. Relative paths start at the folder.

    A plain text is an interpreter's path, a Python version, or a file: requirements.txt,
    pyproject.toml, environment.yml. Raises InvalidDefinition, which says `where`.
    """
    if isinstance(options, str):
        options = _from_text(options)
    if not isinstance(options, Mapping):
        hint = 'For example {requirements: requirements.txt, python: "3.12"}.'
        raise InvalidDefinition("environment: expected a name or options.", where=where, hint=hint)
    return _Reader(options, folder, where, files).environment()


def _from_text(text: str) -> dict[str, Any]:
    if _BARE_VERSION.match(text):
        return {"python": text}
    if text.endswith((".txt", ".in")):
        return {"requirements": text}
    if text.endswith(".toml"):
        return {"pyproject": text}
    if text.endswith((".yml", ".yaml")):
        return {"conda": text}
    return {"interpreter": text}


class _Reader:
    def __init__(self, options: Mapping[str, Any], folder: Path, where: str, files: Files) -> None:
        self._options = {key: value for key, value in options.items() if value is not None}
        self._folder, self._where, self._files = folder, where, files
        self._site = Site(folder=folder, where=where, files=files)

    def environment(self) -> Environment:
        self._check_names()
        if "interpreter" in self._options:
            return Environment(interpreter=self._interpreter(self._text("interpreter")))
        if "conda" in self._options:
            return Environment(conda=self._conda(self._text("conda")))
        return Environment(
            python=self._python(),
            requirements=(*self._from_pyproject(), *self._requirements()),
        )

    def _check_names(self) -> None:
        for name in self._options:
            if name not in OPTIONS:
                hint = nearest(str(name), OPTIONS) or f"Known are: {', '.join(OPTIONS)}."
                raise self._error(f"environment has no option {str(name)!r}.", hint)
        for alone in ("interpreter", "conda"):
            others = self._options.keys() - {alone}
            if alone in self._options and others:
                raise self._error(*_alone(alone, sorted(others)))
        for name in ("extras", "groups"):
            if name in self._options and "pyproject" not in self._options:
                raise self._error(f"environment.{name} goes with `pyproject`.")

    def _interpreter(self, text: str) -> str:
        """The path of a Python: not resolved, since a virtual environment's is a symlink."""
        if not self._files.is_here:
            return self._interpreter_elsewhere(text)
        named = shutil.which(text) if "/" not in text else None
        path = Path(os.path.abspath(self._folder / Path(named or text).expanduser()))
        if path.is_dir():
            path = path / "bin" / "python"
        if not path.is_file():
            raise self._error(
                f"There is no interpreter {path}.",
                "Give the path of a Python, of a virtual environment or of a conda prefix.",
            )
        if not os.access(path, os.X_OK):
            raise self._error(f"{path} cannot be executed.", f"Is it a Python? chmod +x {path}")
        return str(path)

    def _interpreter_elsewhere(self, text: str) -> str:
        """Not looked at: whoever reads this is not the one who submits it."""
        if not text.startswith("/") or "\0" in text:
            raise self._error(
                f"{text!r} is no whole path of an interpreter.",
                "Name a Python on the machine of the server, such as /usr/bin/python3.",
            )
        return os.path.normpath(text)

    def _conda(self, text: str) -> str:
        content = self._files.read_text(self._path(text), self._where)
        check_credentials(content, Site(folder=self._folder, where=self._where, file=text))
        return content

    def _python(self) -> str:
        value = self._options.get("python", "")
        if isinstance(value, float):
            value = self._number(value)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or (value and not _VERSION.match(value)):
            hint = "To use an existing one, name it under `interpreter`."
            raise self._error(f"environment.python: {value!r} is no version.", hint)
        return value

    def _number(self, value: float) -> str:
        """3.12 can be meant in one way only, 3.1 cannot: YAML reads 3.10 as this number too."""
        text = str(value)
        if re.fullmatch(r"\d+\.\d", text):
            raise self._error(
                f"environment.python is the number {text}, which 3.10 and 3.1 both are.",
                f'Write the version in quotes: "{text}0" or "{text}".',
            )
        return text

    def _requirements(self) -> tuple[str, ...]:
        value = self._options.get("requirements", [])
        if isinstance(value, str) and "\n" not in value:
            return read_file(self._path(value), self._site)
        lines = value.splitlines() if isinstance(value, str) else value
        if not isinstance(lines, list | tuple) or not all(isinstance(each, str) for each in lines):
            hint = "Give a file's name, or a list such as [numpy, 'pandas>=2']."
            raise self._error("environment.requirements: expected text.", hint)
        return read_lines(lines, self._site)

    def _from_pyproject(self) -> tuple[str, ...]:
        value = self._options.get("pyproject", False)
        if value is False:
            return ()
        name = "pyproject.toml" if value is True else self._text("pyproject")
        path = self._path(name)
        path = path / "pyproject.toml" if self._files.is_dir(path) else path
        extras, groups = self._names("extras"), self._names("groups")
        lines = pyprojects.dependencies(path, extras, groups, self._where, self._files)
        site = Site(folder=path.parent, where=self._where, file=path.name, files=self._files)
        return read_lines(lines, site)

    def _names(self, option: str) -> list[str]:
        value = self._options.get(option, [])
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
            raise self._error(f"environment.{option}: expected a list of names.")
        return list(names)

    def _text(self, option: str) -> str:
        value = self._options[option]
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or not value:
            raise self._error(f"environment.{option}: expected a path.")
        return value

    def _path(self, text: str) -> Path:
        return self._files.at(self._folder, text)

    def _error(self, message: str, hint: str = "") -> InvalidDefinition:
        return InvalidDefinition(message, where=self._where, hint=hint)


def _alone(name: str, others: list[str]) -> tuple[str, str]:
    listed = ", ".join(others)
    if name == "conda":
        hint = "Put Python and packages into the environment.yml; those of PyPI under `pip:`."
        return f"environment.conda stands alone, without {listed}.", hint
    hint = "It is used as it stands. To have one built, leave out `interpreter`."
    return f"environment.interpreter stands alone, without {listed}.", hint
