"""Finds the function an order is pinned to, and keeps it for the next order of the same code."""

import importlib
import pickle
import sys
from typing import Any

from treadle.errors import DamagedBlob, InvalidDefinition, MissingBlob, Unavailable
from treadle.interfaces import BlobStore
from treadle.model.records import Code, Failure, FailureType
from treadle.runtime.calls import Invoke, invoker
from treadle.runtime.failures import failure_of
from treadle.runtime.snapshots import materialise

BUILD_ERRORS = (ModuleNotFoundError, InvalidDefinition, MissingBlob, DamagedBlob, Unavailable)


def build_failure(error: BaseException) -> Failure:
    """The failure of code that cannot be loaded: the surroundings' fault, or the user's own."""
    build = isinstance(error, BUILD_ERRORS)
    return failure_of(error, FailureType.BUILD if build else FailureType.USER)


class CodeCache:
    """Functions by code, for the life of this process."""

    def __init__(self) -> None:
        self._invokers: dict[tuple[str, str, str, str], Invoke] = {}
        self._pickles: dict[str, dict[str, Any]] = {}

    def load(self, code: Code, blobs: BlobStore, address: str) -> Invoke:
        """The function, ready to be called with arguments by name.

        Raises what the user's module raises, or one of BUILD_ERRORS.
        """
        if code.kind == "snapshot" and code.digest:
            top = materialise(code.digest, blobs, address)
            _first_on_path(f"{top}/{code.folder}" if code.folder else top)
        key = code.kind, code.digest, code.folder, code.entry
        found = self._invokers.get(key)
        if found is None:
            by_value = code.kind == "value"
            function = self._from_pickle(code, blobs) if by_value else _from_module(code.entry)
            found = self._invokers[key] = invoker(getattr(function, "__wrapped__", function))
        return found

    def _from_pickle(self, code: Code, blobs: BlobStore) -> Any:
        functions = self._pickles.get(code.digest)
        if functions is None:
            functions = self._pickles[code.digest] = pickle.loads(blobs.open(code.digest))
        try:
            return functions[code.entry]
        except KeyError:
            raise InvalidDefinition(f"The submitted code has no function {code.entry!r}.") from None


def _first_on_path(folder: str) -> None:
    if sys.path[0] != folder:
        sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]


def _from_module(entry: str) -> Any:
    """The object that "module:qualified.name" stands for."""
    module_name, _, path = entry.partition(":")
    found: Any = importlib.import_module(module_name)
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise InvalidDefinition(
                f"The module {module_name!r} has no {path!r}.",
                hint="Was the function renamed, or made inside another function?",
            ) from None
    return found
