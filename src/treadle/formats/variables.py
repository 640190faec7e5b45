"""Environment variables of a pipeline file: `env_file`, then `env`; those of a step go first."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.formats.files import DISK, Files
from treadle.formats.problems import Path as KeyPath
from treadle.formats.problems import Problems
from treadle.formats.templates import Templates, as_text, escaped, pieces
from treadle.model.secrets import Variables, looks_secret, told_apart

NONE = Variables()


@dataclass(slots=True)
class VariableReader:
    """Reads the variables of the pipeline and its steps."""

    folder: Path
    templates: Templates
    problems: Problems
    files: Files = DISK

    def read(self, part: Mapping[str, Any], path: KeyPath, *, scope: str, late: bool) -> Variables:
        """Those of one part of the file: the pipeline, or a step.

        scope: before the keys of its secrets. late: the step completes its own templates.
        """
        if "env" not in part and "env_file" not in part:
            return NONE
        found: dict[str, str] = {}
        for name, text in self._from_files(part.get("env_file"), path):
            found[name] = escaped(text) if late and not looks_secret(name) else text
        hidden = set()
        for name, value in self._written(part.get("env"), (*path, "env")):
            place = (*path, "env", name)
            if looks_secret(name) or self._takes_secret(value):
                hidden.add(name)
                self._check_secret(name, value, place)
                found[name] = as_text(self.templates.fill(value, place, env=True))
            else:
                found[name] = as_text(self.templates.fill(value, place, late=late, env=True))
        return told_apart(found, scope, hidden)

    def _check_secret(self, name: str, value: Any, path: KeyPath) -> None:
        """Refuse what would be kept in clear: a value in the file, or a parameter of the run."""
        names = [piece.name for piece in pieces(str(value)) if piece.name is not None]
        if value == "" or (names and all(each.startswith("env.") for each in names)):
            return
        why = "are kept with every run" if names else "is kept with every run"
        what = "parameters" if names else "the file it stands in"
        self.problems.add(
            path,
            f"{name} looks secret, and {what} {why}.",
            self.templates.how_to_hide(name),
        )

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
            file = self.files.at(self.folder, name)
            text = self.files.read_text(file, self.problems.where(path))
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

    def _takes_secret(self, value: Any) -> bool:
        """Whether a secret of whoever submits the run goes into the value."""
        names = (piece.name or "" for piece in pieces(str(value)))
        sealed = self.templates.are_secrets
        return any(name.startswith("env.") and (sealed or looks_secret(name[4:])) for name in names)
