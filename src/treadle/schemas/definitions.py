"""What is answered about tools and pipelines that the ledger knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.model.records import Run, Tool
from treadle.model.states import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSummary:
    """What lists and pictures tell of a tool."""

    id: str
    name: str
    version: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersion(ToolSummary):
    """A version, and since when the ledger knows it."""

    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTool:
    """All versions of one name, counted."""

    name: str
    versions: int
    newest: ToolVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsPage:
    """By name. next: as `before` for the following page; null at the end."""

    tools: tuple[NamedTool, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersions:
    """The newest first. next: as `before` for the following page; null at the end."""

    name: str
    versions: tuple[ToolVersion, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition(Tool):
    """The whole definition of one version."""

    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineVersion:
    """A version, and since when the ledger knows it."""

    version: str
    description: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The newest run of a pipeline."""

    id: str
    state: RunState
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPipeline:
    """All versions of one name, counted, and how many runs they had."""

    name: str
    versions: int
    newest: PipelineVersion
    runs: int
    last_run: LastRun | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinesPage:
    """By name. next: as `before` for the following page; null at the end."""

    pipelines: tuple[NamedPipeline, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineVersions:
    """The newest first. next: as `before` for the following page; null at the end."""

    name: str
    versions: tuple[PipelineVersion, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSummary:
    """A step of a run; parents: names of the steps that it waits for."""

    name: str
    tool: ToolSummary
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDetails(PipelineVersion):
    """A version with its parameters, its last run, and the steps that this run had."""

    name: str
    parameters_schema: Mapping[str, Any]
    last_run: Run | None
    steps: tuple[StepSummary, ...]
