"""Pieces of Python source: values, calls and docstrings as people write them."""

import json
import keyword
from collections.abc import Iterable
from typing import Any

WIDTH = 96  #: of a line


def quoted(value: Any) -> str:
    """A plain value as Python writes it, text in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{quoted(key)}: {quoted(each)}' for key, each in value.items())}}}"
    return repr(value)


def broken(name: str, items: Iterable[str]) -> str:
    """At the margin: on one line, or where that is too long on several."""
    line = call(name, items, broken=False)
    return line if len(line) < WIDTH else call(name, items, broken=True).replace("\n    ", "\n")


def named(key: str, value: str) -> str:
    """An argument by name, whatever the name."""
    return f"**{{{quoted(key)}: {value}}}" if keyword.iskeyword(key) else f"{key}={value}"


def call(name: str, items: Iterable[str], *, broken: bool) -> str:
    listed = list(items)
    if not broken or not listed:
        return f"{name}({', '.join(listed)})"
    lines = "".join(f"        {each},\n" for each in listed)
    return f"{name}(\n{lines}    )"


def docstring(text: str) -> str:
    is_simple = text.isprintable() and not any(each in text for each in '"\\')
    return f'"""{text}"""' if is_simple else quoted(text)


def inside_docstring(text: str) -> str:
    """Text inside a docstring."""
    return quoted(text)[1:-1]
