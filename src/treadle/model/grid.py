"""A grid of parameters: `lr=0.1,0.01 model=a,b` stands for four combinations.

What stands behind `=` is several values, separated by commas; whole numbers may be a range
(`seed=1..5`, `rows=100..500..100`). A JSON list is the list of its values, for those that hold a
comma (`tags=["a,b", "c"]`) or are lists and objects themselves (`layers=[[64], [64, 32]]`).
"""

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treadle.errors import InvalidRequest

MOST_COMBINATIONS = 100_000
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?")


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a parameter. text: as typed, to be read by the schema; else `value` is JSON."""

    shown: str
    is_text: bool = True
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """A value for each parameter. name: those that vary, to tell it from its siblings."""

    name: str
    text_parameters: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grid:
    """The values of each parameter, in the order given."""

    axes: Mapping[str, tuple[Choice, ...]]

    def __len__(self) -> int:
        return math.prod(len(choices) for choices in self.axes.values())

    def __iter__(self) -> Iterator[Combination]:
        """The last parameter varies fastest."""
        for choices in itertools.product(*self.axes.values()):
            yield self._combination(dict(zip(self.axes, choices, strict=True)))

    def __str__(self) -> str:
        """`2 x 3`, or the one number there is."""
        counts = [str(len(choices)) for choices in self.axes.values() if len(choices) > 1]
        return " x ".join(counts) or "1"

    def _combination(self, chosen: Mapping[str, Choice]) -> Combination:
        varying = {name: c for name, c in chosen.items() if len(self.axes[name]) > 1}
        return Combination(
            name=" ".join(f"{name}={choice.shown}" for name, choice in varying.items()),
            text_parameters={name: c.shown for name, c in chosen.items() if c.is_text},
            parameters={name: c.value for name, c in chosen.items() if not c.is_text},
        )


def grid_of(given: Sequence[tuple[str, str]]) -> Grid:
    """The grid of (parameter, values as typed).

    Raises InvalidRequest for what cannot be meant: an empty or repeated value, a parameter given
    twice, a range without end.
    """
    axes: dict[str, tuple[Choice, ...]] = {}
    for name, text in given:
        if name in axes:
            hint = f"Give all its values at once: -p {name}=A,B"
            raise InvalidRequest(f"The parameter {name!r} is given twice.", hint=hint)
        axes[name] = tuple(_without_repeats(name, choices_of(name, text)))
    grid = Grid(axes)
    if len(grid) > MOST_COMBINATIONS:
        raise InvalidRequest(
            f"That is {len(grid):,} combinations ({grid}); at most {MOST_COMBINATIONS:,} can be "
            "one sweep.",
            hint="Give fewer values.",
        )
    return grid


def choices_of(name: str, text: str) -> list[Choice]:
    """The values that the text stands for, in order."""
    if text.lstrip().startswith(("[", "{", '"')):
        return [_json_choice(value) for value in _json_values(name, text)]
    pieces = [piece.strip() for piece in text.split(",")] if "," in text else [text]
    if len(pieces) > 1 and not all(pieces):
        raise InvalidRequest(
            f"-p {name}={text}: a value between the commas is missing.",
            hint=f'An empty text is written in JSON: -p \'{name}=["", "x"]\'',
        )
    return [choice for piece in pieces for choice in _range_or_text(name, piece)]


def _json_values(name: str, text: str) -> list[Any]:
    try:
        try:
            whole = json.loads(text)
        except ValueError:
            whole = json.loads(f"[{text}]")
    except ValueError as error:
        raise InvalidRequest(
            f"-p {name}={text}: it begins as JSON but is not valid JSON: {error}.",
            hint=f'A JSON list is the list of values: -p \'{name}=["a,b", "c"]\'',
        ) from None
    values = whole if isinstance(whole, list) else [whole]
    if not values:
        raise InvalidRequest(f"-p {name}={text}: the list of values is empty.")
    return values


def _json_choice(value: Any) -> Choice:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Choice(shown, is_text=False, value=value)


def _range_or_text(name: str, piece: str) -> list[Choice]:
    found = _RANGE.fullmatch(piece)
    if found is None:
        return [Choice(piece)]
    first, last, given = int(found[1]), int(found[2]), found[3]
    step = int(given) if given else (1 if last >= first else -1)
    if step == 0 or (last - first) * step < 0:
        raise InvalidRequest(
            f"-p {name}={piece}: this range never gets to {last}.",
            hint=f"FIRST..LAST or FIRST..LAST..STEP, for instance {name}=1..5 or {name}=0..100..20",
        )
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > MOST_COMBINATIONS:
        raise InvalidRequest(f"-p {name}={piece}: these are {len(numbers):,} values.")
    return [Choice(str(number)) for number in numbers]


def _without_repeats(name: str, choices: Sequence[Choice]) -> Sequence[Choice]:
    seen: set[tuple[bool, str]] = set()
    for choice in choices:
        key = (isinstance(choice.value, str) or choice.is_text, choice.shown)
        if key in seen:
            raise InvalidRequest(f"The parameter {name!r} has the value {choice.shown} twice.")
        seen.add(key)
    return choices
