"""Heavy libraries that a codec needs are never imported for a value that is none of theirs."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from treadle.errors import CodecError


def is_exactly(value: Any, module: str, name: str) -> bool:
    """Whether the value's class is `module.name`; never if that module is not imported yet."""
    return type(value) is getattr(sys.modules.get(module), name, None)


def optional(module: str) -> Any:
    """The module, imported now if need be; None where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def needed(module: str, codec: str) -> Any:
    """The module. Raises CodecError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise CodecError(
            f"a value stored as {codec} needs {package} to be read: {error}.",
            hint=f"Install {package} where the value is read.",
        ) from error
