"""Functions of a module as its syntax tree shows them: arguments, and what @tool says of them."""

import ast
import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.model.graph import nearest

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Block = ast.If | ast.Try | ast.With


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFunction:
    """What can be told of a function without running it.

    takes: names of its arguments, or None where a decorator may have changed them. options: what
    @tool(...) says in literals; unread: its options that are no literals.
    """

    name: str
    where: str
    line: int
    is_tool: bool
    description: str = ""
    takes: tuple[str, ...] | None = None
    required: tuple[str, ...] = ()
    takes_any: bool = False  #: it has **kwargs
    options: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module of the project. shown: its file in messages."""

    name: str
    data: bytes
    tree: ast.Module
    shown: str

    def function(self, qualname: str) -> FoundFunction | None:
        """The function; None if it is there, but made in a way that cannot be seen.

        Raises InvalidDefinition if it is not there, or can be no step.
        """
        node = self._node(qualname)
        return self._told(qualname, node) if isinstance(node, _Function) else None

    def source_of(self, qualname: str) -> str:
        """A hash of the function's text, or of the whole module where it is not seen."""
        node = self._node(qualname)
        data = self.data
        if isinstance(node, _Function):
            lines = data.splitlines()
            kept = lines[node.lineno - 1 : node.end_lineno]
            for decorator in node.decorator_list:
                if self._option_call(decorator) is None:
                    kept += lines[decorator.lineno - 1 : decorator.end_lineno]
            data = b"\n".join(line.rstrip() for line in kept if line.strip())
        return hashlib.blake2b(data, digest_size=16).hexdigest()

    def _node(self, qualname: str) -> ast.stmt | None:
        """What defines the name; None if that cannot be told."""
        *outer, name = qualname.split(".")
        names = self._names
        for each in outer:
            owner = names.get(each)
            if not isinstance(owner, ast.ClassDef):
                if owner is None and not self._is_open:
                    raise self._absent(each, names)
                return None
            names = dict(_defined(owner.body))
        if name in names:
            return names[name]
        if self._is_open and not outer:
            return None
        raise self._absent(name, names)

    def _absent(self, name: str, names: Mapping[str, ast.stmt]) -> InvalidDefinition:
        functions = [key for key, node in names.items() if isinstance(node, _Function)]
        hint = nearest(name, functions) or f"It has: {', '.join(functions) or 'no function'}."
        return InvalidDefinition(
            f"module {self.name!r} ({self.shown}) has no function {name!r}.", hint=hint
        )

    @functools.cached_property
    def _names(self) -> dict[str, ast.stmt]:
        return dict(_defined(self.tree.body))

    @functools.cached_property
    def _is_open(self) -> bool:
        """Names may come from elsewhere: a star import, or a module's __getattr__."""
        return "*" in self._names or "__getattr__" in self._names

    @functools.cached_property
    def _tool_names(self) -> dict[str, str]:
        """What stands for treadle.tool ("tool") or treadle ("treadle") in the module."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module in ("treadle", "treadle.authoring"):
                found |= {a.asname or a.name: "tool" for a in node.names if a.name == "tool"}
            elif isinstance(node, ast.Import):
                found |= {a.asname or a.name: "treadle" for a in node.names if a.name == "treadle"}
        return found

    def _told(self, qualname: str, node: _Function) -> FoundFunction:
        calls = [self._option_call(each) for each in node.decorator_list]
        others = any(call is None for call in calls)
        options, unread = _literals([call for call in calls if isinstance(call, ast.Call)])
        where = f"{self.shown}:{node.lineno}"
        if _is_generator(node) and not others:
            raise InvalidDefinition(
                f"{self.name}:{qualname} ({where}) is a generator, which has no result to keep.",
                hint="Return a list instead.",
            )
        return FoundFunction(
            name=str(options.get("name", node.name)),
            where=where,
            line=node.lineno,
            is_tool=len(calls) > 0 and any(call is not None for call in calls),
            description=ast.get_docstring(node) or "",
            options=options,
            unread=unread,
            **({} if others else _arguments(node)),
        )

    def _option_call(self, decorator: ast.expr) -> ast.expr | None:
        """The decorator, if it is Treadle's."""
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(name, ast.Name) and self._tool_names.get(name.id) == "tool":
            return decorator
        if isinstance(name, ast.Attribute) and name.attr == "tool":
            owner = name.value
            if isinstance(owner, ast.Name) and self._tool_names.get(owner.id) == "treadle":
                return decorator
        return None


def _defined(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """The names that statements define, those inside `if`, `try` and `with` too."""
    for node in body:
        if isinstance(node, _Function | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (each for target in targets for each in ast.walk(target))
            yield from ((each.id, node) for each in names if isinstance(each, ast.Name))
        elif isinstance(node, _Block):
            yield from _defined(node.body)
            yield from _defined(getattr(node, "orelse", []))
            yield from _defined(getattr(node, "finalbody", []))
            for handler in getattr(node, "handlers", []):
                yield from _defined(handler.body)


def _literals(calls: list[ast.Call]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(options in literals, names of those that are not)."""
    options: dict[str, Any] = {}
    unread = []
    for call in calls:
        for keyword in call.keywords:
            try:
                options[keyword.arg or "**"] = ast.literal_eval(keyword.value)
            except (ValueError, TypeError, MemoryError, RecursionError):
                unread.append(keyword.arg or "**")
    return options, tuple(unread)


def _arguments(node: _Function) -> dict[str, Any]:
    """The fields of a FoundFunction that tell what it takes."""
    given = node.args
    places = [each.arg for each in (*given.posonlyargs, *given.args)]
    only = [
        each.arg
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is None
    ]
    return {
        "takes": tuple(each.arg for each in (*given.args, *given.kwonlyargs)),
        "required": (*places[: len(places) - len(given.defaults)], *only),
        "takes_any": given.kwarg is not None,
    }


def _is_generator(node: _Function) -> bool:
    todo: list[ast.AST] = list(node.body)
    while todo:
        each = todo.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, _Function | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(each)
    return False
