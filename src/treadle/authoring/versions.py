"""Versions: a hash of source, defaults and schema; the same in every process, never of a pickle."""

import ast
import enum
import inspect
import re
import textwrap
import types
from collections.abc import Callable, Mapping
from typing import Any

from treadle.authoring.plain import is_plain
from treadle.model.identity import hash_of
from treadle.model.parsing import parsed

_OURS = "treadle.authoring"


def version_of(function: Callable[..., Any], schema: Mapping[str, Any], label: str = "") -> str:
    """Twelve hex digits, after the user's own label if there is one ("2.1+8f14e45fceea").

    The lines of Treadle's own decorators are left out: asking for more memory is no new version.
    """
    signature = inspect.signature(function)
    defaults = {
        name: _stable(parameter.default)
        for name, parameter in signature.parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    digest = hash_of([definition_text(function), defaults, _stable(schema)])[:12]
    return f"{label}+{digest}" if label else digest


def definition_text(function: Callable[..., Any]) -> str:
    """The function's source without indentation and our decorators; else its compiled form."""
    inner = inspect.unwrap(function)
    try:
        source = textwrap.dedent(inspect.getsource(inner))
        node = parsed(source).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        # A prompt or `python -c` has no source; a lambda's lines need not be a statement.
        return _code_text(inner)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _code_text(inner)
    lines = source.splitlines()
    for decorator in node.decorator_list:
        if _is_ours(decorator, inner):
            first, last = decorator.lineno, decorator.end_lineno or decorator.lineno
            lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _is_ours(decorator: ast.expr, function: Callable[..., Any]) -> bool:
    """Whether the decorator's name, looked up where it was used, is one of Treadle's."""
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    parts = ast.unparse(name).split(".")
    found: Any = getattr(function, "__globals__", {}).get(parts[0])
    for part in parts[1:]:
        found = getattr(found, part, None)
    if found is None:  # imported inside a function, and out of sight
        return parts[-1] in ("tool", "pipeline")
    return str(getattr(found, "__module__", "")).startswith(_OURS)


def _code_text(function: Any) -> str:
    code = getattr(function, "__code__", None)
    return repr(_stable(code)) if code is not None else repr(function)


def _stable(value: Any) -> Any:
    """JSON-able data that differs if the value does and is the same in every process."""
    if is_plain(value):
        return value
    if isinstance(value, types.CodeType):
        names = [value.co_names, value.co_varnames, value.co_freevars, value.co_flags]
        return [value.co_code.hex(), _stable(names), [_stable(c) for c in value.co_consts]]
    if isinstance(value, list | tuple):
        return [type(value).__name__, [_stable(item) for item in value]]
    if isinstance(value, set | frozenset):
        return [type(value).__name__, sorted((_stable(item) for item in value), key=repr)]
    if isinstance(value, Mapping):
        return ["mapping", [[_stable(k), _stable(v)] for k, v in value.items()]]
    if isinstance(value, enum.Enum):
        return [type(value).__qualname__, value.name]
    if isinstance(value, type | types.FunctionType):
        return f"{value.__module__}.{value.__qualname__}"
    return [type(value).__qualname__, re.sub(r" at 0x[0-9a-f]+", "", repr(value))]
