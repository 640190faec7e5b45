"""How the value of a setting is read: from a string of the environment, or as TOML has it."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from treadle.model.quantities import duration, size_bytes

Read = Callable[[Any, Path], Any]  #: (value as written, folder of the file) -> value


def about(text: str, read: Read) -> dict[str, Any]:
    """What a setting is for, and how it is read from a file or variable."""
    return {"text": text, "read": read}


def folder(value: Any, base: Path) -> Path:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError("expected a folder")
    return Path(os.path.abspath(base / Path(value).expanduser()))


def address(value: Any, base: Path) -> str:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise ValueError("expected a folder or an address such as s3://bucket/prefix")
    return text if not text or "://" in text else str(folder(text, base))


def server_url(value: Any, base: Path) -> str:
    text = value.strip().rstrip("/") if isinstance(value, str) else None
    if text is None or (text and not text.startswith(("http://", "https://"))):
        raise ValueError("expected an address such as https://box:8470")
    return text


def count(value: Any, base: Path) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdigit() or int(text) < 1:
        raise ValueError("expected a whole number from 1")
    return int(text)


def days(value: Any, base: Path) -> float | None:
    if value is None or str(value).strip().lower() in ("", "never"):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found < float("inf") or isinstance(value, bool):
        raise ValueError("expected a number of days, or never")
    return found


def modules(value: Any, base: Path) -> tuple[str, ...]:
    found = names(value, base)
    for name in found:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"{name!r} is no module name")
    return found


def one_of(*words: str) -> Read:
    def read(value: Any, base: Path) -> str:
        if str(value).lower() not in words:
            raise ValueError(f"expected one of {', '.join(filter(None, words))}")
        return str(value).lower()

    return read


def size(value: Any, base: Path) -> int:
    return size_bytes(value)


def time_span(value: Any, base: Path) -> timedelta:
    return value if isinstance(value, timedelta) else duration(value)


def switch(value: Any, base: Path) -> bool:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "0": False,
        "false": False,
        "no": False,
        "": False,
    }
    try:
        return words[str(value).strip().lower()]
    except KeyError:
        raise ValueError("expected true or false") from None


def port(value: Any, base: Path) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal() or int(text) > 65535:
        raise ValueError("expected a port from 0 (any that is free) to 65535")
    return int(text)


def host(value: Any, base: Path) -> str:
    text = value.strip().removeprefix("[").removesuffix("]") if isinstance(value, str) else ""
    if not text or "/" in text or any(letter.isspace() for letter in text):
        raise ValueError("expected a name or an IP address, such as 127.0.0.1")
    return text


def file(value: Any, base: Path) -> Path | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str | os.PathLike):
        raise ValueError("expected a file")
    return Path(os.path.abspath(base / Path(value).expanduser()))


def names(value: Any, base: Path) -> tuple[str, ...]:
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
        raise ValueError("expected a list of names")
    return tuple(each.strip() for each in found if each.strip())
