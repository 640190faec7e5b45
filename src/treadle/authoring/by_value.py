"""Functions as bytes, for those whose file no worker can import: scripts, prompts, cells."""

import contextlib
import io
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from typing import Any

import cloudpickle

from treadle.authoring.origins import file_of, is_installed
from treadle.authoring.siblings import own_folders, with_siblings
from treadle.authoring.tools import ToolFunction
from treadle.errors import InvalidDefinition

_lock = threading.RLock()


@contextlib.contextmanager
def own_modules() -> Iterator[None]:
    """Within, cloudpickle writes whatever is in the user's own loaded modules by value.

    Its registry belongs to the process, so only one thread at a time is within.
    """
    with _lock:
        known = cloudpickle.list_registry_pickle_by_value()
        mine = [m for n, m in list(sys.modules.items()) if n not in known and _is_own(n, m)]
        for module in mine:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in mine:
                cloudpickle.unregister_pickle_by_value(module)


def _is_own(name: str, module: Any) -> bool:
    if name == "__main__" or not isinstance(module, types.ModuleType):
        return False
    file = file_of(module)
    return file is not None and module.__name__ == name and not is_installed(name, file)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it comes without types
    """Writes tools and pipelines of the user's modules by value too."""

    def reducer_override(self, obj: Any) -> Any:
        by_value = getattr(type(obj), "reduce_by_value", None)
        return super().reducer_override(obj) if by_value is None else by_value(obj)


class _Functions:
    """Pickled, it comes back as the plain dict."""

    def __init__(self, functions: dict[str, Any]) -> None:
        self.functions = functions

    def __reduce__(self) -> Any:
        return with_siblings, (own_folders(), self.functions)


def blob(tools: Mapping[str, ToolFunction[..., Any]]) -> bytes:
    """A cloudpickle of {entry: function}.

    Raises InvalidDefinition that names the tool which cannot be pickled.
    """
    with own_modules():
        try:
            return _pickled(tools)
        except InvalidDefinition:  # a step's result inside says so itself
            raise
        except Exception as error:
            # Pickling runs code of the user's objects, which may raise anything.
            raise _culprit(tools, error) from error


def _pickled(tools: Mapping[str, ToolFunction[..., Any]]) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer).dump(_Functions({entry: _callable(tool) for entry, tool in tools.items()}))
    return buffer.getvalue()


def _callable(tool: ToolFunction[..., Any]) -> Any:
    """The function; the tool around it where another decorator's __wrapped__ would mislead."""
    return tool if hasattr(tool.function, "__wrapped__") else tool.function


def _culprit(tools: Mapping[str, ToolFunction[..., Any]], error: Exception) -> InvalidDefinition:
    for entry, tool in tools.items():
        try:
            _pickled({entry: tool})
        except Exception as reason:  # noqa: BLE001  as above; told in the sentence
            return InvalidDefinition(
                f"tool {tool.name!r} cannot be sent to another process: {reason}",
                where=tool.where,
                hint="Open files, locks and connections inside the tool, not beside it.",
            )
    return InvalidDefinition(f"the tools cannot be sent to another process: {error}")
