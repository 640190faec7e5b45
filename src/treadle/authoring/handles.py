"""StepResult: what a tool returns inside a pipeline, before anything has run.

A handle may be passed on to other tools, by itself or inside lists, tuples and dicts. All else a
value could do is refused, since there is no value yet.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from treadle.authoring import places
from treadle.errors import InvalidDefinition

_HINT = "Do this inside a tool, and pass the result to that tool."


class StepResult:
    """The result that a step will have."""

    __slots__ = ("output", "step", "trace", "where")

    def __init__(self, *, step: str, output: str, where: str, trace: object) -> None:
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "output", output)
        object.__setattr__(self, "where", where)
        object.__setattr__(self, "trace", trace)  #: which trace it belongs to

    step: str
    output: str
    where: str
    trace: object

    def __repr__(self) -> str:
        return f"<{_what(self)}>"

    __hash__ = object.__hash__

    def __reduce__(self) -> NoReturn:
        raise _refusal(self, "be stored inside another object", _CONTAINERS)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # what debuggers, copy and notebooks look for
            raise AttributeError(name)
        raise _refusal(self, f"have its attribute .{name} read")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise _refusal(self, f"have its attribute .{name} set")


_CONTAINERS = "Results may be passed in lists, tuples, and dicts with text keys."


def _what(handle: StepResult) -> str:
    output = "" if handle.output == "result" else f" {handle.output!r}"
    return f"result{output} of step {handle.step!r} ({handle.where})"


def _refusal(handle: StepResult, use: str, hint: str = _HINT) -> InvalidDefinition:
    return InvalidDefinition(
        f"the {_what(handle)} is not known while the pipeline is traced: it cannot {use}.",
        where=places.of_call(),
        hint=hint,
        step=handle.step,
    )


_ARITHMETIC = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul"),
    *("and", "or", "xor", "lshift", "rshift"),
)
_REFUSED = {
    "be used as a bool (if, while, and, or, not)": ["__bool__"],
    "be iterated or unpacked": ["__iter__", "__next__", "__reversed__"],
    "have a length": ["__len__"],
    "be indexed": ["__getitem__", "__setitem__", "__delitem__", "__contains__"],
    "be called": ["__call__"],
    "be compared": [f"__{n}__" for n in ("eq", "ne", "lt", "le", "gt", "ge")],
    "be turned into text": ["__str__", "__format__", "__bytes__"],
    "be turned into a number": [
        f"__{n}__" for n in ("int", "float", "complex", "index", "round", "trunc", "floor", "ceil")
    ],
    "be turned into an array": ["__array__"],
    "be used as a path": ["__fspath__"],
    "be used in with": ["__enter__", "__exit__"],
    "be used in arithmetic": [
        *(f"__{prefix}{n}__" for n in _ARITHMETIC for prefix in ("", "r", "i")),
        *(f"__{n}__" for n in ("neg", "pos", "abs", "invert")),
    ],
}


def _refuser(use: str) -> Callable[..., NoReturn]:
    def refuse(handle: StepResult, *_: Any, **__: Any) -> NoReturn:
        raise _refusal(handle, use)

    return refuse


for _use, _names in _REFUSED.items():
    for _name in _names:
        setattr(StepResult, _name, _refuser(_use))


def all_in(values: Iterable[Any], where: str) -> Iterator[StepResult]:
    """The handles among the values and inside their tuples and lists.

    Raises InvalidDefinition for anything else.
    """
    for value in values:
        if isinstance(value, StepResult):
            yield value
        elif isinstance(value, tuple | list):
            yield from all_in(value, where)
        else:
            raise InvalidDefinition(
                f"after() takes results of steps, got {type(value).__name__}", where=where
            )


def refuse_in(values: Iterable[Any], *, into: str) -> None:
    """Refuse handles that are passed to a tool which runs at once, their trace being over."""
    for value in values:
        if isinstance(value, StepResult):
            raise _refusal(value, f"be passed to {into} outside its pipeline", _OUTSIDE)


_OUTSIDE = "Call both tools inside one @pipeline, or run the pipeline and use its results."


def check_belongs(handle: StepResult, trace: object, pipeline: str) -> None:
    """Refuse a handle of an earlier trace, or of another pipeline."""
    if handle.trace is not trace:
        raise _refusal(
            handle, f"be used in pipeline {pipeline!r}, which it does not belong to", _OUTSIDE
        )
