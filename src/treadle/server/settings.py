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
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from treadle.errors import InvalidRequest
from treadle.model.graph import nearest
from treadle.model.quantities import duration_text, size_text
from treadle.server import setting_kinds as kinds
from treadle.server.machine import cpu_count, default_data_dir
from treadle.server.setting_kinds import about
from treadle.step import JOB_VARIABLE

FILE = "treadle.toml"
PREFIX = "TREADLE_"
MIB = 2**20
_OF_A_SCRIPT = ("input_", "output_", "param_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a house is built from. Sizes are in bytes."""

    data_dir: Path = field(
        default_factory=lambda: default_data_dir(os.environ),
        metadata=about("Folder that holds all state.", kinds.folder),
    )
    server: str = field(
        default="",
        metadata=about(
            "Address of a server, such as https://box:8470, that commands and clients use instead "
            "of a data directory. Default: none.",
            kinds.server_url,
        ),
    )
    slots: int = field(
        default_factory=cpu_count,
        metadata=about(
            "Jobs at a time. Default: the processors that this process may use.", kinds.count
        ),
    )
    durability: Literal["process", "power"] = field(
        default="process",
        metadata=about(
            "`process`: what is acknowledged survives kill -9. `power`: a power cut too (slower).",
            kinds.one_of("process", "power"),
        ),
    )
    blobs: str = field(
        default="",
        metadata=about(
            "Where large values go: a folder, or s3://, gs://, az://. "
            "Default: in the data directory.",
            kinds.address,
        ),
    )
    output_limit: int = field(
        default=64 * MIB,
        metadata=about(
            "What one attempt may print; what comes after is dropped, with a mark.", kinds.size
        ),
    )
    request_limit: int = field(
        default=256 * MIB,
        metadata=about(
            "Largest JSON body of a request (blobs are streamed and have no limit).", kinds.size
        ),
    )
    retention_days: float | None = field(
        default=None,
        metadata=about(
            "Age from which `treadle gc` removes ended runs. Default: never.", kinds.days
        ),
    )
    slot_max_age: timedelta = field(
        default=timedelta(hours=1),
        metadata=about("Age at which an idle warm slot is replaced.", kinds.time_span),
    )
    slot_max_jobs: int = field(
        default=10_000,
        metadata=about("Jobs after which a warm slot is replaced by a fresh one.", kinds.count),
    )
    environments_days: float | None = field(
        default=30.0,
        metadata=about(
            "Days without use after which `treadle gc` removes a built environment.", kinds.days
        ),
    )
    preload: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Modules to import once, in the process that slots are forked from, such as numpy: "
            "steps then have them at once. A list; commas between them in the variable.",
            kinds.modules,
        ),
    )
    queue_limit: int = field(
        default=1_000_000,
        metadata=about(
            "Jobs that have not ended, from which on new ones are refused.", kinds.count
        ),
    )
    host: str = field(
        default="127.0.0.1",
        metadata=about("Address or name that `treadle up` listens at.", kinds.host),
    )
    port: int = field(
        default=8470,
        metadata=about("Port that `treadle up` listens at; 0 is any that is free.", kinds.port),
    )
    tls_certificate: Path | None = field(
        default=None,
        metadata=about("File with the server's certificate and its chain, in PEM.", kinds.file),
    )
    tls_key: Path | None = field(
        default=None,
        metadata=about("File with the key of the certificate, in PEM.", kinds.file),
    )
    insecure: bool = field(
        default=False,
        metadata=about(
            "Listen where others can reach it without TLS: tokens travel open.", kinds.switch
        ),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Names that requests may call the server by, besides its address.", kinds.names
        ),
    )
    allowed_origins: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Origins of web pages that may ask, such as https://lab.example.", kinds.names
        ),
    )
    stop_grace: timedelta = field(
        default=timedelta(seconds=10),
        metadata=about(
            "How long a server that is told to stop lets running jobs finish, before it hands "
            "them back to the queue.",
            kinds.time_span,
        ),
    )
    log_level: str = field(
        default="",
        metadata=about(
            "How much Treadle itself reports on standard error. "
            "Default: `info` for `treadle up`, else `warning`.",
            kinds.one_of("", "debug", "info", "warning", "error"),
        ),
    )
    log_format: Literal["lines", "json"] = field(
        default="lines",
        metadata=about("How `treadle up` writes its log.", kinds.one_of("lines", "json")),
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

    A data directory that is named counts before a server that an earlier source names; where one
    source names both, the server counts.

    Raises InvalidRequest, which names the source, the key and the nearest right spelling.
    """
    here = (cwd or Path.cwd()).absolute()
    variables = os.environ if environ is None else environ
    values: dict[str, Any] = {"data_dir": default_data_dir(variables)}
    if file := find_file(here):
        values |= _read_all(_read_file(file), file.parent, str(file))
    given = {name: value for name, value in explicit.items() if value is not None}
    for found in (
        _read_all(_from_environment(variables), here, "environment", PREFIX),
        _read_all(given, here, "settings"),
    ):
        if "data_dir" in found:
            values.pop("server", None)
        values |= found
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
    if value is dataclasses.MISSING or value is False or value in (None, "", ()):
        return ""
    if name in ("output_limit", "request_limit"):
        return f"`{size_text(value)}`"
    return f"`{duration_text(value) if isinstance(value, timedelta) else value}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
