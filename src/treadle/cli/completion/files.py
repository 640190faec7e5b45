"""Files with pipelines, and what those take; read, never imported."""

import ast
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Candidate = tuple[str, str]
DOCUMENTS = (".yaml", ".yml", ".json")
DEFAULT_FILES = ("treadle.yaml", "treadle.yml", "treadle.json")
LARGEST_BYTES = 1 << 20  #: of a file that is read while somebody waits for TAB
MOST_VALUES = 12


@dataclass(frozen=True, slots=True)
class Parameter:
    """values: those worth offering, as they are typed."""

    name: str
    about: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A pipeline in a Python file."""

    name: str
    about: str
    parameters: tuple[Parameter, ...]


def targets(incomplete: str) -> list[Candidate]:
    """Files and folders; after `FILE.py:` its pipelines. A folder alone is looked into."""
    file, colon, _ = incomplete.rpartition(":")
    if colon and file.endswith(".py") and os.path.isfile(file):
        return [(f"{file}:{each.name}", each.about) for each in definitions(Path(file))]
    found = list(_entries(incomplete))
    while len(found) == 1 and found[0][0].endswith("/"):
        below = list(_entries(found[0][0]))
        if not below:
            break
        found = below
    if len(found) == 1 and found[0][0] == incomplete and incomplete.endswith(".py"):
        made = definitions(Path(incomplete))
        found += [(f"{incomplete}:{each.name}", each.about) for each in made if len(made) > 1]
    return found


def _entries(incomplete: str) -> Iterator[Candidate]:
    folder, _, start = incomplete.rpartition("/")
    base = f"{folder}/" if folder or incomplete.startswith("/") else ""
    try:
        entries = sorted(os.scandir(os.path.expanduser(base) or "."), key=lambda e: e.name)
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
            continue
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield f"{base}{entry.name}/", ""
        elif entry.name.endswith((".py", *DOCUMENTS)):
            yield f"{base}{entry.name}", ""


def parameters_of(target: str) -> list[Parameter]:
    """What the pipelines of FILE[:PIPELINE] take."""
    file, name = _found(target)
    if file is None:
        return []
    if file.suffix.lower() in DOCUMENTS:
        return _of_document(file)
    found: dict[str, Parameter] = {}
    for each in definitions(file):
        if name in ("", each.name):
            found |= {parameter.name: parameter for parameter in each.parameters}
    return list(found.values())


def _found(target: str) -> tuple[Path | None, str]:
    path = Path(target).expanduser()
    if path.is_dir():
        return next((path / n for n in DEFAULT_FILES if (path / n).is_file()), None), ""
    if path.is_file():
        return path, ""
    file, _, name = target.rpartition(":")
    return (Path(file).expanduser(), name) if file and os.path.isfile(file) else (None, "")


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.stat().st_size <= LARGEST_BYTES else b""
    except OSError:
        return b""


# -- pipeline files


def _of_document(file: Path) -> list[Parameter]:
    import yaml  # noqa: PLC0415 - 15 ms, for such files only

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(_text(file), Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    given = document.get("parameters") if isinstance(document, dict) else None
    if not isinstance(given, dict):
        return []
    return [_of_schema(str(name), schema) for name, schema in given.items()]


def _of_schema(name: str, given: Any) -> Parameter:
    """A default, or a JSON Schema object."""
    if not isinstance(given, dict):
        return Parameter(name, f"{_typed(given)}", tuple(_values(given)))
    values = list(given.get("enum") or ())[:MOST_VALUES]
    if given.get("type") == "boolean":
        values = [True, False]
    elif not values and "default" in given:
        values = [given["default"]]
    about = str(given.get("description") or given.get("type") or "")
    return Parameter(name, about, tuple(text for value in values for text in _values(value)))


def _values(value: Any) -> list[str]:
    """A value as it is typed after `NAME=`."""
    if isinstance(value, bool):
        return [json.dumps(value), json.dumps(not value)]
    if value is None or isinstance(value, dict | list):
        return []
    return [value if isinstance(value, str) else json.dumps(value)]


def _typed(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return names.get(type(value), "")


# -- Python


def definitions(file: Path) -> list[Definition]:
    """The functions that are pipelines, by their decorator."""
    try:
        tree = ast.parse(_text(file))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (name := _pipeline_name(node)):
            about = (ast.get_docstring(node) or "").partition("\n")[0]
            found.append(Definition(name, about, tuple(_of_function(node))))
    return found


def _pipeline_name(node: ast.FunctionDef) -> str:
    """What the pipeline is called; "" where it is none."""
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        called = call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")
        if called == "pipeline":
            named = decorator.keywords if isinstance(decorator, ast.Call) else []
            given = [k.value for k in named if k.arg == "name"]
            literal = [str(each.value) for each in given if isinstance(each, ast.Constant)]
            return literal[0] if literal else node.name
    return ""


def _of_function(node: ast.FunctionDef) -> Iterator[Parameter]:
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults))
    defaults = [*missing, *given.defaults, *given.kw_defaults]
    for argument, default in zip([*plain, *given.kwonlyargs], defaults, strict=True):
        about = ast.unparse(argument.annotation) if argument.annotation else ""
        yield Parameter(argument.arg, about, tuple(_known_values(argument, default)))


def _known_values(argument: ast.arg, default: ast.expr | None) -> list[str]:
    """The members of a Literal, else the default."""
    if isinstance(argument.annotation, ast.Subscript):
        kind = argument.annotation.value
        if getattr(kind, "id", getattr(kind, "attr", "")) == "Literal":
            inside = argument.annotation.slice
            members = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            return [
                text for m in members if isinstance(m, ast.Constant) for text in _values(m.value)
            ]
    return _values(default.value) if isinstance(default, ast.Constant) else []
