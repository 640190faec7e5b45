"""Writes src/treadle/client/asynchronous.pyi: `python scripts/stub.py`, or `make docs`.

The asynchronous client is the blocking one behind another door (see treadle.client.door), so its
types follow from the source: what calls the door is awaited, an iterator is an asynchronous one,
and the rest stays. A test compares the file with what `stub()` says.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOM = Path(__file__).parents[1] / "src" / "treadle" / "client"
FILE = ROOM / "asynchronous.pyi"
DOORS = ("self.door.", "self._door.")
CLASSES = {"Client": "client", "Run": "runs", "StepHandle": "steps"}  #: class -> its module
ATTRIBUTES = {"Client": "link: Link", "Run": "record: RunRecord", "StepHandle": "name: str"}
RENAMED = {"Iterator": "AsyncIterator", **{name: f"Async{name}" for name in CLASSES}}
LINK = "from treadle.client.link import Link\n"
SHOWN = ("__init__", "__getitem__")
HEAD = """\
# Made from client.py, runs.py and steps.py by scripts/stub.py. Edit those, not this.
# ruff: noqa: ASYNC109 - as the blocking ones have it

"""
RUFF = (["check", "--select=I", "--fix"], ["format"])
LIFETIME = """
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
"""


def stub() -> str:
    """The text of the file."""
    modules = {name: ast.parse((ROOM / f"{m}.py").read_text()) for name, m in CLASSES.items()}
    body = "\n\n".join(_class(name, modules[name]) for name in CLASSES)
    return _tidy(HEAD + "".join(_imports(list(modules.values()), body)) + "\n" + body)


def _tidy(text: str) -> str:
    for command in RUFF:
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, f"--stdin-filename={FILE}", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


def _class(name: str, module: ast.Module) -> str:
    found = next(n for n in module.body if isinstance(n, ast.ClassDef) and n.name == name)
    verbs = [each for each in found.body if isinstance(each, ast.FunctionDef) and _is_shown(each)]
    lines = [f"class {RENAMED[name]}:\n    {ATTRIBUTES[name]}\n", *map(_verb, verbs)]
    if name == "Client":
        lines.append(LIFETIME.lstrip("\n"))
    return "".join(lines)


def _is_shown(verb: ast.FunctionDef) -> bool:
    own = verb.name == "__init__" and "door" in [each.arg for each in verb.args.args]
    return not own and (not verb.name.startswith("_") or verb.name in SHOWN)


def _verb(verb: ast.FunctionDef) -> str:
    returns = _renamed(verb.returns)
    arguments = ast.unparse(_Rename().visit(verb.args))
    kind = "async def" if _asks(verb) and not returns.startswith("AsyncIterator") else "def"
    decorators = "".join(f"    @{ast.unparse(each)}\n" for each in verb.decorator_list)
    return f"{decorators}    {kind} {verb.name}({arguments}) -> {returns}: ...\n"


def _asks(verb: ast.FunctionDef) -> bool:
    """Whether the verb itself, not a function in it, calls the door."""
    return any(
        isinstance(node, ast.Call) and f"{ast.unparse(node.func)}.".startswith(DOORS)
        for node in _own_nodes(verb)
    )


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
            yield from _own_nodes(child)


class _Rename(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(RENAMED.get(node.id, node.id))

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """An annotation in quotes is one without; other strings are defaults."""
        if isinstance(node.value, str) and node.value.isidentifier():
            return ast.Name(RENAMED.get(node.value, node.value))
        return node


def _renamed(annotation: ast.expr | None) -> str:
    return "None" if annotation is None else ast.unparse(_Rename().visit(annotation))


def _imports(modules: list[ast.Module], body: str) -> Iterator[str]:
    """What the body names, from where the modules have it."""
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    lines = {LINK, "from typing import Self\n", "from collections.abc import AsyncIterator\n"}
    for node in (each for module in modules for each in ast.walk(module)):
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            name = alias.asname or alias.name
            if name in used and name not in CLASSES and name not in ("Iterator", "Link", "Self"):
                again = f" as {alias.asname}" if alias.asname else ""
                lines.add(f"from {node.module} import {alias.name}{again}\n")
    return iter(sorted(lines))


if __name__ == "__main__":
    FILE.write_text(stub())
