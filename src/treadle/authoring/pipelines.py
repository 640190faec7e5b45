"""@pipeline: a function that calls tools. Calling it runs them here; `trace` finds the steps."""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack, overload

from treadle.authoring import context, places
from treadle.authoring.surroundings import Surroundings, surroundings
from treadle.authoring.tools import by_value, check_function, check_is_function
from treadle.errors import InvalidDefinition
from treadle.model.graph import nearest
from treadle.model.options import SurroundingOptions

if TYPE_CHECKING:
    from treadle.authoring.signatures import Parameters
    from treadle.authoring.tracing import Traced

P = ParamSpec("P")
R = TypeVar("R")


class PipelineOptions(SurroundingOptions, total=False):
    """All that @pipeline takes. env, environment: of its tools that have none of their own."""

    name: str
    concurrency: int | None  #: runs at a time; None = any number
    fail_fast: bool  #: the first failed step ends the run, not only what depends on it
    priority: int  #: higher first


class PipelineFunction(Generic[P, R]):
    """What @pipeline makes of a function.

    Called, it runs as plain Python, so it can be debugged. `run` and `submit` run it durably.
    """

    function: Callable[P, R]
    name: str
    concurrency: int | None
    fail_fast: bool
    priority: int
    where: str  #: "file:line" of the definition
    surroundings: Surroundings
    __name__: str
    __qualname__: str
    __wrapped__: Callable[P, R]

    def __init__(self, function: Callable[P, R], **options: Unpack[PipelineOptions]) -> None:
        check_is_function(function)
        functools.update_wrapper(self, function)
        self.function = function
        self.where = places.of_function(function)
        self.name = options.get("name", function.__name__)
        self.concurrency = options.get("concurrency")
        self.fail_fast = options.get("fail_fast", False)
        self.priority = options.get("priority", 0)
        check_function("pipeline", function, self.name, self.where)
        self.surroundings = surroundings(
            f"pipeline {self.name!r}", dict(options), places.file_of(function), self.where
        )
        _check_options(self, options)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        tracer = context.current.get()
        if tracer is not None:
            result: R = tracer.call_pipeline(self, args, kwargs)
            return result
        return self.function(*args, **kwargs)

    def trace(self, *args: P.args, **kwargs: P.kwargs) -> "Traced":
        """The steps that a run with these parameters has; nothing runs.

        Raises InvalidParameters or InvalidDefinition, with file and line.
        """
        from treadle.authoring.tracing import trace  # noqa: PLC0415  msgspec: not at import

        return trace(self, args, kwargs)

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Run durably, wait for the end, and return the run (`treadle.client.Run`)."""
        _check_may_start(self, "run")
        # The door is above this room: known only when somebody walks through it.
        from treadle.server.embedded import default_client  # noqa: PLC0415

        return default_client().run(self, *args, **kwargs)

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Start a durable run and return it at once (`treadle.client.Run`)."""
        _check_may_start(self, "submit")
        from treadle.server.embedded import default_client  # noqa: PLC0415  as in run

        return default_client().submit(self, *args, **kwargs)

    @functools.cached_property
    def parameters(self) -> "Parameters":
        """The signature, its JSON Schema, and the checking of values."""
        from treadle.authoring.signatures import Parameters  # noqa: PLC0415  msgspec: not at import

        return Parameters.of(self.function, self.name)

    def __repr__(self) -> str:
        return f"<pipeline {self.name!r} ({self.where})>"

    def __reduce__(self) -> Any:
        """By name, as functions are, where the name leads back here."""
        if self.__module__ == "__main__" or "<" in self.__qualname__:
            return self.reduce_by_value()
        return self.__qualname__

    def reduce_by_value(self) -> Any:
        """How to pickle the pipeline where its module cannot be imported."""
        return by_value(self)


@overload
def pipeline(function: Callable[P, R], /) -> PipelineFunction[P, R]: ...
@overload
def pipeline(
    **options: Unpack[PipelineOptions],
) -> Callable[[Callable[P, R]], PipelineFunction[P, R]]: ...
def pipeline(function: Any = None, /, **options: Unpack[PipelineOptions]) -> Any:
    """Make a pipeline of a function that calls tools: `@pipeline`, or `@pipeline(name=..., ...)`.

    name: default the function's. concurrency: runs at a time. fail_fast: the first failed step
    ends the run. priority: higher first. env, environment: of its tools that name none.

    Raises InvalidDefinition if the function cannot be a pipeline.
    """
    if function is None:
        return lambda given: PipelineFunction(given, **options)
    return PipelineFunction(function)


_ASYNC_HINT = "Use def; tools may be async."
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _check_options(made: PipelineFunction[..., Any], options: PipelineOptions) -> None:
    def refuse(why: str, hint: str = "") -> InvalidDefinition:
        return InvalidDefinition(f"pipeline {made.name!r}: {why}", where=made.where, hint=hint)

    if inspect.iscoroutinefunction(made.function):
        raise refuse("it is async, but its steps are found without waiting.", _ASYNC_HINT)
    for parameter in inspect.signature(made.function).parameters.values():
        if parameter.kind not in _NAMED:
            raise refuse(f"{parameter} has no name to give it by.", "Name every parameter.")
    for name in options:
        known = PipelineOptions.__annotations__
        if name not in known:
            raise refuse(f"there is no option {name!r}", nearest(name, known))
    if made.concurrency is not None and (type(made.concurrency) is not int or made.concurrency < 1):
        raise refuse(f"concurrency={made.concurrency!r}: expected at least 1.", "None is no limit.")
    if type(made.priority) is not int:
        raise refuse(f"priority={made.priority!r}: expected a whole number.", "Higher is first.")


def _check_may_start(started: PipelineFunction[..., Any], verb: str) -> None:
    """Refuse to start a run from inside a trace, or from a file that is only being loaded."""
    if context.current.get() is not None:
        raise InvalidDefinition(
            f"{started.name}.{verb}() is called inside a pipeline.",
            where=places.of_call(),
            hint=f"Call {started.name}() to have its steps placed there.",
        )
    if context.loading.get():
        raise InvalidDefinition(
            f"{started.name}.{verb}() is called while the file is loaded to be run.",
            where=places.of_call(),
            hint='Put it under if __name__ == "__main__", or run the file with python.',
        )
