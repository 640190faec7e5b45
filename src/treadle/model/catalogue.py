"""What the ledger knows of tools and pipelines by name: their versions, and how they were used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.model.records import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTool:
    """A tool's definition. added_at: when it first came."""

    tool: Tool
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTool:
    """All definitions of one name: how many versions, and the newest."""

    name: str
    versions: int
    newest: KnownTool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPipeline:
    """A version of a pipeline. added_at: when it first came."""

    name: str
    version: str
    description: str
    parameters_schema: Mapping[str, Any]  #: JSON Schema, 2020-12
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPipeline:
    """All versions of one name: how many, the newest, and the runs of all of them."""

    name: str
    versions: int
    newest: KnownPipeline
    runs: int
    last_run: str | None  #: id
