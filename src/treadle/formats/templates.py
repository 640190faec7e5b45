"""`${name}` in a file's values: alone it keeps its type, inside longer text it is text.

`$${` is a literal `${`. `${inputs.x}`, `${outputs.x}` and `${parameters.x}` are left for the step.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle.formats.problems import Path, Problems
from treadle.model.graph import nearest

_PART = re.compile(r"\$?\$\{([^{}]*)\}|\$?\$\{")
_LATE = re.compile(r"(inputs|outputs|parameters)\.(.+)")
LATE_KEYS = ("args", "command", "env")  #: whose templates the step itself completes
MARK = "${"
MOST_CHARACTERS = 100_000_000  #: that parameters may come to inside longer texts, in all


@dataclass(slots=True)
class Templates:
    """Replaces the parameters of one run in the values of its file.

    variables: of whoever submits, for `${env.NAME}`; are_secrets: all of them, whatever their
    names. used: the names of those that something asked for.
    """

    parameters: Mapping[str, Any]
    problems: Problems
    variables: Mapping[str, str] = field(default_factory=dict)
    are_secrets: bool = False
    used: set[str] = field(default_factory=set)
    _room: int = MOST_CHARACTERS

    def fill(self, value: Any, path: Path, *, late: bool = False, env: bool = False) -> Any:
        """The value with its templates replaced, as deep as it goes; keys stay as they are.

        late: templates of the step's own are left as they are, and so is `$${`.
        env: `${env.NAME}` is allowed.
        """
        if isinstance(value, str):
            return self._text(value, path, late, env) if MARK in value else value
        if isinstance(value, dict):
            return {
                key: self.fill(each, (*path, key), late=late, env=env)
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [
                self.fill(each, (*path, index), late=late, env=env)
                for index, each in enumerate(value)
            ]
        return value

    def _text(self, text: str, path: Path, late: bool, env: bool) -> Any:
        whole = _PART.fullmatch(text)
        if whole and whole[1] in self.parameters and not text.startswith("$$"):
            value = self.parameters[whole[1]]
            return escaped(value) if late and isinstance(value, str) else value
        return _PART.sub(lambda match: self._replace(match, path, late, env), text)

    def _replace(self, match: re.Match[str], path: Path, late: bool, env: bool) -> str:
        if match[0].startswith("$$"):
            return match[0] if late else match[0][1:]
        name = match[1]
        if name is None:
            hint = "For these characters themselves write $${"
            self.problems.add(path, "a template begins with ${ and does not end.", hint)
            return match[0]
        if name in self.parameters:
            found = as_text(self.parameters[name])
            return self._taken(match[0], escaped(found) if late else found, path)
        if _LATE.fullmatch(name):
            if not late:
                hint = "It can stand in args, command and env of a script's step."
                self.problems.add(path, f"{match[0]} means nothing here.", hint)
            return match[0]
        if name.startswith("env."):
            return self._variable(match[0], name.removeprefix("env."), path, late, env)
        self._refuse(match[0], name, path)
        return match[0]

    def _taken(self, template: str, text: str, path: Path) -> str:
        """Few characters may stand for many, many times over."""
        self._room -= len(text)
        if self._room >= 0:
            return text
        self.problems.add(path, f"parameters come to over {MOST_CHARACTERS:,} characters in all.")
        return template

    def how_to_hide(self, name: str) -> str:
        """The next step for a secret that stands in the file."""
        if self.are_secrets:
            return f'Write {name}: "${{env.{name}}}", and give {name} under `secrets`.'
        return f'Take it from the environment: {name}: "${{env.{name}}}", or from an env_file.'

    def _variable(self, template: str, name: str, path: Path, late: bool, env: bool) -> str:
        if not env:
            hint = "It can stand in the values of `env`."
            self.problems.add(path, f"{template} means nothing here.", hint)
        elif name not in self.variables:
            self._refuse_variable(name, path)
        else:
            value = self.variables[name]
            self.used.add(name)
            return escaped(value) if late else value
        return template

    def _refuse_variable(self, name: str, path: Path) -> None:
        what, hint = "environment variable", f"Set it: export {name}=..."
        if self.are_secrets:
            what, hint = "secret", "Give it under `secrets`."
        self.problems.add(
            path, f"there is no {what} {name}.", nearest(name, self.variables) or hint
        )

    def _refuse(self, template: str, name: str, path: Path) -> None:
        known = ", ".join(self.parameters) or "none"
        hint = nearest(name, self.parameters) or f"Parameters of the pipeline: {known}."
        if name.isupper() and not nearest(name, self.parameters):
            hint = f"For the shell's own variable write $${{{name}}}."
        self.problems.add(path, f"there is no parameter for {template}.", hint)


def as_text(value: Any) -> str:
    """A value inside longer text: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def escaped(text: str) -> str:
    """Text that is to stay as it is where templates are replaced."""
    return text.replace(MARK, "$" + MARK)


def late_names(text: str) -> list[tuple[str, str]]:
    """(kind, name) of the templates that the step itself completes: ("inputs", "data")."""
    if MARK not in text:
        return []
    found = (_LATE.fullmatch(match[1] or "") for match in _PART.finditer(text) if _is_one(match))
    return [(match[1], match[2]) for match in found if match]


def _is_one(match: re.Match[str]) -> bool:
    return not match[0].startswith("$$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: as it stands, or `${name}`."""

    text: str
    name: str | None = None


def pieces(text: str) -> list[Piece]:
    """The text cut at its templates; `$${` stays in the texts between."""
    found, end = [], 0
    for match in _PART.finditer(text):
        if _is_one(match) and match[1] is not None:
            found += [Piece(text[end : match.start()]), Piece(match[0], match[1])]
            end = match.end()
    found.append(Piece(text[end:]))
    return [each for each in found if each.text]
