"""What callers send, where it is no record of the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from treadle.model.records import Tool

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="BLAKE3 of the bytes.")]
Size = Annotated[int, Meta(ge=0)]
Mode = Annotated[int, Meta(ge=0, le=0o777)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """The blobs that are asked about."""

    digests: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A project's files by their paths, and its large data files, which stay where they are.

    files: [digest, size in bytes, mode]. links: [absolute path, size in bytes, mtime in ns].
    """

    files: Mapping[str, tuple[Digest, Size, Mode]]
    links: Mapping[str, tuple[str, Size, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """A pipeline file to run. document: what the file says, as an object.

    parameters: of the pipeline, by name. priority, fail_fast: null as the file says. snapshot: in
    which the files are that the steps name, folder: where in it the pipeline file would lie; none
    without one. secrets: what `${env.NAME}` stands for in `env`, by NAME.
    """

    document: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    priority: int | None = None
    fail_fast: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    snapshot: Digest | None = None
    folder: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool with its definition, arguments as bindings; or by name or name@version, plain ones."""

    tool: Tool | str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """grace_seconds: between SIGTERM and SIGKILL; null as each step says."""

    grace_seconds: Annotated[float, Meta(ge=0, le=999_999_999)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """retention_days: how long ended runs are kept; null for ever. Left out: as the settings say.

    dry_run: only tell what would go.
    """

    dry_run: bool = False
    retention_days: Annotated[float, Meta(ge=0, le=499_999)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """user: whose runs it begins, the name if left out. Without an expiry it holds for ever."""

    name: Name
    scopes: tuple[str, ...]
    user: Name = ""
    expires_in_seconds: Annotated[float, Meta(gt=0, le=3_153_600_000)] | None = None
    expires_at: datetime | None = None
