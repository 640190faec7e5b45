"""All settings, read once into one frozen object.

Sources, the later winning: defaults, the nearest `treadle.toml` from the working directory upward,
`TREADLE_*` of the environment, what is given explicitly. Tables of `treadle.toml` belong to others.
`python -m treadle.server.settings` prints the reference as a markdown table.
"""

import dataclasses
import difflib
import os
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from treadle.errors import InvalidRequest
from treadle.model.graph import nearest
from treadle.model.quantities import duration, duration_text, size_bytes, size_text
from treadle.server.machine import cpu_count, default_data_dir
from treadle.step import JOB_VARIABLE

FILE = "treadle.toml"
PREFIX = "TREADLE_"
MIB = 2**20
_OF_A_SCRIPT = ("input_", "output_", "param_")


Read = Callable[[Any, Path], Any]  #: (value as written, folder of the file) -> value


def _about(text: str, read: Read) -> dict[str, Any]:
    """What a setting is for, and how it is read from a file or variable."""
    return {"text": text, "read": read}


def _path(value: Any, base: Path) -> Path:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError("expected a folder")
    return Path(os.path.abspath(base / Path(value).expanduser()))


def _address(value: Any, base: Path) -> str:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise ValueError("expected a folder or an address such as s3://bucket/prefix")
    return text if not text or "://" in text else str(_path(text, base))


def _count(value: Any, base: Path) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdigit() or int(text) < 1:
        raise ValueError("expected a whole number from 1")
    return int(text)


def _days(value: Any, base: Path) -> float | None:
    if value is None or str(value).strip().lower() in ("", "never"):
        return None
    try:
        days = float(value)
    except (TypeError, ValueError):
        days = -1.0
    if not 0 <= days < float("inf") or isinstance(value, bool):
        raise ValueError("expected a number of days, or never")
    return days


def _modules(value: Any, base: Path) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("expected a list of module names")
    found = tuple(name.strip() for name in names if name.strip())
    for name in found:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"{name!r} is no module name")
    return found


def _one_of(*words: str) -> Read:
    def read(value: Any, base: Path) -> str:
        if str(value).lower() not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return str(value).lower()

    return read


def _size(value: Any, base: Path) -> int:
    return size_bytes(value)


def _duration(value: Any, base: Path) -> timedelta:
    return value if isinstance(value, timedelta) else duration(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a house is built from. Sizes are in bytes."""

    data_dir: Path = field(
        default_factory=lambda: default_data_dir(os.environ),
        metadata=_about("Folder that holds all state.", _path),
    )
    slots: int = field(
        default_factory=cpu_count,
        metadata=_about(
            "Jobs at a time. Default: the processors that this process may use.", _count
        ),
    )
    durability: Literal["process", "power"] = field(
        default="process",
        metadata=_about(
            "`process`: what is acknowledged survives kill -9. `power`: a power cut too (slower).",
            _one_of("process", "power"),
        ),
    )
    blobs: str = field(
        default="",
        metadata=_about(
            "Where large values go: a folder, or s3://, gs://, az://. "
            "Default: in the data directory.",
            _address,
        ),
    )
    output_limit: int = field(
        default=64 * MIB,
        metadata=_about(
            "What one attempt may print; what comes after is dropped, with a mark.", _size
        ),
    )
    request_limit: int = field(
        default=256 * MIB,
        metadata=_about(
            "Largest JSON body of a request (blobs are streamed and have no limit).", _size
        ),
    )
    retention_days: float | None = field(
        default=None,
        metadata=_about("Age from which `treadle gc` removes ended runs. Default: never.", _days),
    )
    slot_max_age: timedelta = field(
        default=timedelta(hours=1),
        metadata=_about("Age at which an idle warm slot is replaced.", _duration),
    )
    slot_max_jobs: int = field(
        default=10_000,
        metadata=_about("Jobs after which a warm slot is replaced by a fresh one.", _count),
    )
    environments_days: float | None = field(
        default=30.0,
        metadata=_about(
            "Days without use after which `treadle gc` removes a built environment.", _days
        ),
    )
    preload: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Modules to import once, in the process that slots are forked from, such as numpy: "
            "steps then have them at once. A list; commas between them in the variable.",
            _modules,
        ),
    )
    log_level: str = field(
        default="warning",
        metadata=_about(
            "How much Treadle itself reports on standard error.",
            _one_of("debug", "info", "warning", "error"),
        ),
    )

    @property
    def blobs_address(self) -> str:
        """The blob store's address, whether it was given or not."""
        return self.blobs or str(self.data_dir / "blobs")


FIELDS = {f.name: f for f in dataclasses.fields(Settings)}


def load(
    *, cwd: Path | None = None, environ: Mapping[str, str] | None = None, **explicit: Any
) -> Settings:
    """Read the settings from all sources. An explicit None counts as not given.

    Raises InvalidRequest, which names the source, the key and the nearest right spelling.
    """
    here = (cwd or Path.cwd()).absolute()
    variables = os.environ if environ is None else environ
    values: dict[str, Any] = {"data_dir": default_data_dir(variables)}
    if file := find_file(here):
        values |= _read_all(_read_file(file), file.parent, str(file))
    values |= _read_all(_from_environment(variables), here, "environment", PREFIX)
    given = {name: value for name, value in explicit.items() if value is not None}
    values |= _read_all(given, here, "settings")
    return Settings(**values)


def find_file(start: Path) -> Path | None:
    """The nearest `treadle.toml` in the folder or above it."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    return None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"{path}: not valid TOML: {error}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path}: cannot be read: {error}.") from None
    return {key: value for key, value in document.items() if not isinstance(value, dict)}


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Our variables. Others may use the prefix too (command-line twins, marks of a job's process),
    so an unknown one is refused only when it looks like a misspelt setting. In a script's
    processes, what begins as its inputs, outputs and parameters do is none."""
    found = {}
    for name, value in environ.items():
        key = name.removeprefix(PREFIX).lower()
        if not name.startswith(PREFIX):
            continue
        if JOB_VARIABLE in environ and key.startswith(_OF_A_SCRIPT):
            continue
        if key in FIELDS or difflib.get_close_matches(key, FIELDS, n=1, cutoff=0.85):
            found[key] = value
    return found


def _read_all(raw: Mapping[str, Any], base: Path, source: str, prefix: str = "") -> dict[str, Any]:
    def shown(key: str) -> str:
        return prefix + key.upper() if prefix else key

    values = {}
    for key, value in raw.items():
        if key not in FIELDS:
            hint = nearest(shown(key), [shown(name) for name in FIELDS])
            raise InvalidRequest(f"{source}: there is no setting {shown(key)!r}.", hint=hint)
        try:
            values[key] = FIELDS[key].metadata["read"](value, base)
        except ValueError as error:
            raise InvalidRequest(f"{source}: {shown(key)} = {value!r}: {error}.") from None
    return values


def reference() -> str:
    """The settings as a markdown table."""
    lines = ["| `treadle.toml` | environment | default | what it is |", "|---|---|---|---|"]
    for name, each in FIELDS.items():
        lines.append(
            f"| `{name}` | `{PREFIX}{name.upper()}` | {_default_text(name)} "
            f"| {each.metadata['text']} |"
        )
    return "\n".join(lines) + "\n"


def _default_text(name: str) -> str:
    value = FIELDS[name].default
    if name == "data_dir":
        return "`~/.local/share/treadle`"
    if value is dataclasses.MISSING or value in (None, "", ()):
        return ""
    if name.endswith("_limit"):
        return f"`{size_text(value)}`"
    return f"`{duration_text(value) if isinstance(value, timedelta) else value}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
