"""What is wrong with a pipeline file: all of it, each with its place, told together."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from treadle.errors import InvalidDefinition

Path = tuple[str | int, ...]  #: keys and indices that lead to a value
Places = (
    Any  #: (line, column) of a scalar; [place, *of items]; {None: place, key: (place, of value)}
)
SHOWN = 20  #: problems listed in one message

Place = tuple[int, int]  #: line and column, from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake. key: the path to it, as text ("steps.train.inputs")."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    key: str = ""

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def sentence(self) -> str:
        return InvalidDefinition(self.message, hint=self.hint).sentence

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}"


@dataclass(slots=True)
class Problems:
    """Collects what is wrong with one file; knows where each of its values stands."""

    file: str  #: as it is shown
    places: Places = None
    found: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _told: set[Problem] = field(default_factory=set)

    def add(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """at_key: blame the key at the path's end, not its value."""
        self._keep(self.found, self._problem(path, message, hint, at_key))

    def warn(self, path: Path, message: str, hint: str = "") -> None:
        self._keep(self.warnings, self._problem(path, message, hint, at_key=True))

    def _keep(self, found: list[Problem], problem: Problem) -> None:
        """Told once, however many steps have it."""
        if problem not in self._told:
            self._told.add(problem)
            found.append(problem)

    def add_at(self, place: Place, message: str, hint: str = "") -> None:
        line, column = place
        self.found.append(
            Problem(file=self.file, line=line, column=column, message=message, hint=hint)
        )

    def add_error(self, path: Path, error: InvalidDefinition) -> None:
        """A problem told by an error that knows its own place, or is to be blamed on the path."""
        message = error.message.removeprefix(f"{error.where}: ")
        if not error.where or error.where == self.where(path):
            self.add(path, message, error.hint)
            return
        file, line, column = taken_apart(error.where)
        self._keep(
            self.found,
            Problem(
                file=file,
                line=line,
                column=column,
                message=message,
                hint=error.hint,
                key=key_of(path),
            ),
        )

    def has_below(self, path: Path) -> bool:
        """Whether something inside the value is wrong."""
        return any(each.key.startswith(f"{key_of(path)}.") for each in self.found)

    def where(self, path: Path, *, at_key: bool = False) -> str:
        """ "file:line:column" of a value."""
        line, column = self.place(path, at_key=at_key)
        return f"{self.file}:{line}:{column}"

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Where the value stands, or the nearest one around it that the file has."""
        return place_in(self.places, path, at_key=at_key)

    def check(self) -> None:
        """Raises InvalidDefinition if anything was found."""
        if self.found:
            self.fail()

    def fail(self) -> NoReturn:
        raise error_of(sorted(self.found, key=lambda each: (each.line, each.column)))

    def _problem(self, path: Path, message: str, hint: str, at_key: bool) -> Problem:
        line, column = self.place(path, at_key=at_key)
        return Problem(
            file=self.file,
            line=line,
            column=column,
            message=message,
            hint=hint,
            key=key_of(path),
        )


def taken_apart(where: str) -> tuple[str, int, int]:
    """File, line and column of "file:line:column"; line 0 where there is none."""
    found = re.fullmatch(r"(.+?):(\d+)(?::(\d+))?", where)
    return (found[1], int(found[2]), int(found[3] or 1)) if found else (where, 0, 1)


def key_of(path: Path) -> str:
    """ "steps.train.inputs[0]" of a path."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def error_of(
    problems: list[Problem], kind: type[InvalidDefinition] = InvalidDefinition
) -> InvalidDefinition:
    """One error for all; its `details["problems"]` has them one by one."""
    first, *others = problems
    details: Mapping[str, Any] = {"problems": [asdict(each) for each in problems]}
    if not others:
        return kind(first.message, where=first.where, hint=first.hint, **details)
    shown = [first.sentence, *map(str, others[: SHOWN - 1])]
    more = len(problems) - len(shown)
    if more:
        shown.append(f"... and {more} more")
    return kind("\n".join(shown), where=first.where, **details)


def place_in(places: Places, path: Path, *, at_key: bool) -> Place:
    """Walk down as far as the file goes."""
    found, key_place = places, None
    for key in path:
        if isinstance(found, dict) and key in found:
            key_place, found = found[key]
        elif isinstance(found, list) and isinstance(key, int) and key + 1 < len(found):
            key_place, found = None, found[key + 1]
        else:
            return _own(found)
    return _own(key_place if at_key and key_place is not None else found)


def _own(places: Places) -> Place:
    if isinstance(places, dict):
        places = places[None]
    elif isinstance(places, list):
        places = places[0]
    if places is None:
        return 1, 1
    return (places.line + 1, places.column + 1) if hasattr(places, "line") else places
