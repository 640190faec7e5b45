"""From a method and a path to the operation."""

import re
from collections.abc import Iterable
from typing import Any

from starlette.routing import compile_path

from treadle.api.http.operations import Operation
from treadle.errors import MethodNotAllowed, NotFound

_Methods = dict[str, Operation]


class Routing:
    """All operations, by path. HEAD goes as GET."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._plain: dict[str, _Methods] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], _Methods]] = {}
        for each in operations:
            if "{" in each.path:
                pattern, _, _ = compile_path(each.path)
                self._patterns.setdefault(each.path, (pattern, {}))[1][each.method] = each
            else:
                self._plain.setdefault(each.path, {})[each.method] = each

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, Any]]:
        """(operation, path parameters). Raises NotFound, MethodNotAllowed."""
        wanted = "GET" if method == "HEAD" else method
        allowed: list[str] = []
        for methods, parameters in self._at(path):
            if wanted in methods:
                return methods[wanted], parameters
            allowed += methods
        if allowed:
            raise MethodNotAllowed(
                f"There is no {method} {path}.",
                hint=f"There is {', '.join(allowed)}.",
                allow=[each for each in allowed if each != "WEBSOCKET"],
            )
        raise NotFound(f"There is no {method} {path}.", hint="GET /api/v1/health always answers.")

    def _at(self, path: str) -> Iterable[tuple[_Methods, dict[str, Any]]]:
        if path in self._plain:  # a word of ours stands for no name or digest
            yield self._plain[path], {}
            return
        for pattern, methods in self._patterns.values():
            if found := pattern.match(path):
                yield methods, found.groupdict()
