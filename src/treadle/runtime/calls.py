"""From an order's arguments to a call, and from what it returned to named outputs."""

import inspect
from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import Any

from treadle.errors import InvalidParameters
from treadle.model.bindings import Arguments, Binding, Entries, Items, Stored, Value
from treadle.model.refs import Ref

Load = Callable[[Ref], Any]
Invoke = Callable[[dict[str, Any]], Any]  #: arguments by parameter name -> what was returned


def resolve(arguments: Arguments, load: Load) -> dict[str, Any]:
    """The values of all arguments by parameter name."""
    return {name: _resolved(binding, load) for name, binding in arguments.items()}


def _resolved(binding: Binding, load: Load) -> Any:
    if isinstance(binding, Value):
        return binding.value
    if isinstance(binding, Stored):
        return load(binding.ref)
    if isinstance(binding, Items):
        items = [_resolved(item, load) for item in binding.items]
        return items if binding.kind == "list" else tuple(items)
    if isinstance(binding, Entries):
        return {key: _resolved(each, load) for key, each in binding.entries.items()}
    raise InvalidParameters(f"An argument is still bound to the step {binding.step!r}.")


def invoker(function: Callable[..., Any]) -> Invoke:
    """How to call the function with arguments by name, *args, **kwargs and positional-only too.

    The value for *args is a tuple under that parameter's name, for **kwargs a dict, beside which
    names that are no other parameter's are taken too.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return lambda arguments: function(**arguments)
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if all(parameter.kind in plain for parameter in signature.parameters.values()):
        return lambda arguments: function(**arguments)

    takes_any = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD
    ]

    def invoke(arguments: dict[str, Any]) -> Any:
        others = {k: v for k, v in arguments.items() if k not in signature.parameters}
        if others and not takes_any:
            raise TypeError(f"{function.__name__}() has no parameter {next(iter(others))!r}")
        known = {name: value for name, value in arguments.items() if name not in others}
        for name in takes_any:
            known[name] = {**known.get(name, {}), **others}
        bound = inspect.BoundArguments(signature, known)
        bound.apply_defaults()
        return function(*bound.args, **bound.kwargs)

    return invoke


def awaited(returned: Any) -> Any:
    """The result itself: a coroutine is run to its end first."""
    if type(returned) is CoroutineType:
        import asyncio  # noqa: PLC0415 - 30 ms that only async functions need to pay

        return asyncio.run(returned)
    return returned


def named_outputs(returned: Any, names: tuple[str, ...]) -> Mapping[str, Any]:
    """What was returned, under the tool's declared output names.

    Raises TypeError, saying what was expected, if it cannot be taken apart.
    """
    if len(names) == 1:
        return {names[0]: returned}
    wanted = ", ".join(names)
    if isinstance(returned, dict):
        if set(returned) == set(names):
            return {name: returned[name] for name in names}
        found = ", ".join(map(str, returned)) or "nothing"
        raise TypeError(f"the tool declares the outputs {wanted}, but returned a dict of {found}")
    if isinstance(returned, tuple | list):
        if len(returned) == len(names):
            return dict(zip(names, returned, strict=True))
        raise TypeError(
            f"the tool declares {len(names)} outputs ({wanted}), but returned {len(returned)}"
        )
    raise TypeError(
        f"the tool declares the outputs {wanted}: it must return a tuple of {len(names)} or a "
        f"dict with these keys, not {type(returned).__name__}"
    )
