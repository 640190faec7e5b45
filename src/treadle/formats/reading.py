"""A pipeline file as data with places. Nothing of what it means."""

import gc
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.errors import InvalidDefinition, NotFound, TooLarge
from treadle.formats.problems import Problems
from treadle.model.graph import nearest

LARGEST_BYTES = 8_000_000
JSON = (".json",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What the file says. problems: those found so far; knows the place of every value."""

    value: dict[str, Any]
    problems: Problems


def parse_file(file: Path, shown: str = "") -> Parsed:
    """Read and parse. shown: the file's name in messages.

    Raises NotFound, TooLarge, and InvalidDefinition for what is no text, YAML or JSON.
    """
    return parse_text(read(file, shown), shown or str(file), as_json=is_json(file))


def is_json(file: Path) -> bool:
    return file.suffix.lower() in JSON


def parse_text(text: str, shown: str, *, as_json: bool = False) -> Parsed:
    """Raises InvalidDefinition for what is no YAML, or JSON."""
    # Each brings its library: only the one that is needed.
    problems = Problems(shown)
    with without_collections():
        if as_json:
            from treadle.formats import json_text  # noqa: PLC0415

            value = json_text.parse(text, problems)
        else:
            from treadle.formats import yaml_text  # noqa: PLC0415

            value = yaml_text.parse(text, problems)
    return Parsed(value=value, problems=problems)


@contextmanager
def without_collections() -> Iterator[None]:
    """Thousands of lists and dicts are made, none is garbage: looking for it doubles the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def read(file: Path, shown: str = "") -> str:
    """The file's text. Raises NotFound, TooLarge, InvalidDefinition."""
    shown = shown or str(file)
    try:
        _check(file, shown)
        data = file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {shown}.", hint=_near(file)) from None
    except OSError as error:
        raise InvalidDefinition(f"it cannot be read: {error.strerror}.", where=shown) from None
    return decoded(data, shown)


def decoded(data: bytes, shown: str) -> str:
    """The text of a file's bytes. Raises TooLarge, InvalidDefinition."""
    check_size(len(data), shown)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(data, "utf-16", shown)
    return _decoded(data, "utf-8-sig", shown)


def _check(file: Path, shown: str) -> None:
    found = file.stat()
    if stat.S_ISDIR(found.st_mode):
        raise InvalidDefinition("it is a folder, not a pipeline file.", where=shown)
    if not stat.S_ISREG(found.st_mode):
        raise InvalidDefinition("it is no regular file, and would be waited for.", where=shown)
    check_size(found.st_size, shown)


def check_size(size_bytes: int, shown: str) -> None:
    """Raises TooLarge."""
    if size_bytes > LARGEST_BYTES:
        raise TooLarge(
            f"{shown} has {size_bytes / 1e6:.1f} MB; a pipeline file has at most "
            f"{LARGEST_BYTES // 1_000_000}.",
            hint="Put data into files of its own, and name them in the steps.",
        )


def _decoded(data: bytes, encoding: str, shown: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise InvalidDefinition(
            f"byte {data[error.start]:#04x} is not UTF-8 text.",
            where=f"{shown}:{line}:{column}",
            hint="Save the file as UTF-8.",
        ) from None


def _near(file: Path) -> str:
    if not file.parent.is_dir():
        return f"There is no folder {file.parent} either."
    return nearest(file.name, [each.name for each in file.parent.iterdir()])
