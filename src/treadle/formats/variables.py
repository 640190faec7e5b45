"""Environment variables of a pipeline file: `env_file`, then `env`; those of a step go first."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.formats.files import read_text
from treadle.formats.problems import Path as KeyPath
from treadle.formats.problems import Problems
from treadle.formats.templates import MARK, Templates, as_text, escaped
from treadle.model.secrets import looks_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """Told apart. secrets: name -> key of the value in `values`, which is never shown.

    plain values are text in which a script's own templates still stand.
    """

    plain: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def over(self, outer: "Variables") -> "Variables":
        """These and, where they are silent, the outer ones."""
        mine = {*self.plain, *self.secrets}
        plain = {name: text for name, text in outer.plain.items() if name not in mine}
        secrets = {name: key for name, key in outer.secrets.items() if name not in mine}
        return Variables(
            plain={**plain, **self.plain},
            secrets={**secrets, **self.secrets},
            values={**outer.values, **self.values},
        )


NONE = Variables()


@dataclass(slots=True)
class VariableReader:
    """Reads the variables of the pipeline and its steps."""

    folder: Path
    templates: Templates
    problems: Problems

    def read(self, part: Mapping[str, Any], path: KeyPath, *, scope: str, late: bool) -> Variables:
        """Those of one part of the file: the pipeline, or a step.

        scope: before the keys of its secrets. late: the step completes its own templates.
        """
        if "env" not in part and "env_file" not in part:
            return NONE
        plain: dict[str, str] = {}
        secret: dict[str, str] = {}
        for name, text in self._from_files(part.get("env_file"), path):
            if looks_secret(name):
                secret[name] = text
            else:
                plain[name] = escaped(text) if late else text
        for name, value in self._written(part.get("env"), (*path, "env")):
            if looks_secret(name):
                secret[name] = self._secret(name, value, (*path, "env", name))
            else:
                filled = self.templates.fill(value, (*path, "env", name), late=late, env=True)
                plain[name] = as_text(filled)
        return Variables(
            plain=plain,
            secrets={name: f"{scope}{name}" for name in secret},
            values={f"{scope}{name}": text for name, text in secret.items()},
        )

    def _secret(self, name: str, value: Any, path: KeyPath) -> str:
        if value != "" and not (isinstance(value, str) and MARK in value):
            self.problems.warn(
                path,
                f"the value of {name} stands in the file, which is kept with every run.",
                f'Take it from the environment: {name}: "${{env.{name}}}", or from an env_file.',
            )
        return as_text(self.templates.fill(value, path, env=True))

    def _written(self, env: Any, path: KeyPath) -> Iterator[tuple[str, Any]]:
        """Names and values that can be meant; the class of the file tells of wrong types."""
        for name, value in env.items() if isinstance(env, dict) else ():
            if not name or "=" in name or "\0" in name:
                self.problems.add((*path, name), f"no variable can be called {name!r}.")
            elif isinstance(value, str) and "\0" in value:
                self.problems.add((*path, name), f"{name}: a variable cannot hold a zero byte.")
            elif type(value) in (str, int):
                yield name, value

    def _from_files(self, written: Any, path: KeyPath) -> Iterator[tuple[str, str]]:
        several = isinstance(written, list)
        for index, name in enumerate(written if several else [written]):
            where: KeyPath = (*path, "env_file", index) if several else (*path, "env_file")
            filled = self.templates.fill(name, where)
            if isinstance(filled, str):
                yield from self._from_file(filled, where)

    def _from_file(self, name: str, path: KeyPath) -> Iterator[tuple[str, str]]:
        # Few files name one.
        from dotenv import dotenv_values  # noqa: PLC0415
        from dotenv.parser import parse_stream  # noqa: PLC0415

        try:
            text = read_text(self.folder / Path(name).expanduser(), self.problems.where(path))
        except InvalidDefinition as error:
            self.problems.add_error(path, error)
            return
        for line in parse_stream(io.StringIO(text)):
            if line.error or (line.key and line.value is None):
                message = f"{name}, line {line.original.line}: expected NAME=value."
                self.problems.add(path, message)
                return
        for key, value in dotenv_values(stream=io.StringIO(text)).items():
            yield key, value or ""
