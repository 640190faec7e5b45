"""@tool: a function that can be a step. Calling it still calls the function, except in a trace."""

import functools
import inspect
import keyword
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack, overload

from treadle.authoring import context, handles, places
from treadle.authoring.placement import UNPLACED, Placeable
from treadle.authoring.surroundings import Surroundings, surroundings
from treadle.errors import InvalidDefinition
from treadle.model.bindings import DEFAULT_OUTPUT
from treadle.model.options import ToolOptions, execution_from
from treadle.model.records import Execution

if TYPE_CHECKING:
    from treadle.authoring.signatures import Parameters

P = ParamSpec("P")
R = TypeVar("R")


class ToolFunction(Placeable, Generic[P, R]):
    """What @tool makes of a function: callable exactly as it was."""

    function: Callable[P, R]
    label: str  #: the version the user gave; "" if none
    outputs: tuple[str, ...]
    surroundings: Surroundings
    __name__: str
    __qualname__: str
    __wrapped__: Callable[P, R]

    def __init__(self, function: Callable[P, R], **options: Unpack[ToolOptions]) -> None:
        check_is_function(function)
        functools.update_wrapper(self, function)
        self.function = function
        self.where = places.of_function(function)
        self.name = options.pop("name", function.__name__)
        self.label = options.pop("version", "")
        self.outputs = _output_names(options.pop("outputs", (DEFAULT_OUTPUT,)), self)
        check_function("tool", function, self.name, self.where)
        owner, rest = f"tool {self.name!r}", dict[str, Any](options)
        self.surroundings = surroundings(owner, rest, places.file_of(function), self.where)
        self.execution = execution_from(Execution(), rest, owner=owner, where=self.where)
        self.placement = UNPLACED
        self.original = self

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        tracer = context.current.get()
        if tracer is not None:
            step: R = tracer.call_tool(self, args, kwargs)
            return step
        handles.refuse_in((*args, *kwargs.values()), into=f"{self.name}()")
        return self.function(*args, **kwargs)

    @functools.cached_property
    def parameters(self) -> "Parameters":
        """The signature, its JSON Schema, and the checking of arguments."""
        from treadle.authoring.signatures import Parameters  # noqa: PLC0415  msgspec: not at import

        return Parameters.of(self.function, self.name)

    def __repr__(self) -> str:
        return f"<tool {self.name!r} ({self.where})>"

    def __reduce__(self) -> Any:
        """By name, as functions are, where the name leads back here."""
        if self.__module__ == "__main__" or "<" in self.__qualname__ or self.original is not self:
            return self.reduce_by_value()
        return self.__qualname__

    def reduce_by_value(self) -> Any:
        """How to pickle the tool where its module cannot be imported."""
        return by_value(self)


def by_value(made: Any) -> Any:
    """What `__reduce__` returns to have a tool or pipeline pickled with all it has, less caches."""
    state = {key: value for key, value in vars(made).items() if key != "parameters"}
    return object.__new__, (type(made),), state


@overload
def tool(function: Callable[P, R], /) -> ToolFunction[P, R]: ...
@overload
def tool(
    **options: Unpack[ToolOptions],
) -> Callable[[Callable[P, R]], ToolFunction[P, R]]: ...
def tool(function: Any = None, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a tool of a function: `@tool`, or `@tool(cpus=2, memory="1GB", retries=2, ...)`.

    name: default the function's. version: a label for people; the hash of the definition counts.
    cpus, memory ("1GB" or bytes), gpus, timeout ("10m" or seconds): of one attempt.
    retries, backoff, retry_on (failure types), on_lost ("requeue" or "fail"), grace.
    outputs: names, when the function returns several results as a tuple.
    env: environment variables; those whose names look secret are sealed and masked.
    environment: the interpreter and packages it runs with (docs/how-to/environments.md).

    Raises InvalidDefinition if the function cannot be a step.
    """
    if function is None:
        return lambda given: ToolFunction(given, **options)
    return ToolFunction(function)


def check_is_function(candidate: Any) -> None:
    """Refuse what is no function, nor made of one by functools.cache and the like."""
    if inspect.ismethod(candidate) or not inspect.isfunction(inspect.unwrap(candidate)):
        raise InvalidDefinition(
            f"{candidate!r} is not a function.",
            where=places.of_call(),
            hint="Define one with def that calls it, and decorate that.",
        )


def check_function(kind: str, function: Any, name: str, where: str) -> None:
    """Refuse what cannot be called in another process, or has no result to keep."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidDefinition(
            f"{kind} {name!r}: it is a generator, which has no result to keep.",
            where=where,
            hint="Return a list instead.",
        )
    if not isinstance(name, str) or not name or name == "<lambda>":
        raise InvalidDefinition(
            f"a {kind} cannot be called {name!r}.", where=where, hint="Name it."
        )
    first = next(iter(inspect.signature(function).parameters), "")
    inside, _, _ = function.__qualname__.rpartition(".")
    if inside and not inside.endswith("<locals>") and first in ("self", "cls"):
        raise InvalidDefinition(
            f"{kind} {name!r}: it is a method, and the process that runs it has no instance.",
            where=where,
            hint="Move it out of the class, or put @staticmethod above it.",
        )


def _output_names(outputs: Iterable[str], tool: ToolFunction[..., Any]) -> tuple[str, ...]:
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    bad = [n for n in names if not n.isidentifier() or keyword.iskeyword(n) or n.startswith("_")]
    if bad or not names or len(set(names)) < len(names):
        raise InvalidDefinition(
            f"tool {tool.name!r}: outputs={names!r}: expected different Python names",
            where=tool.where,
        )
    return names
