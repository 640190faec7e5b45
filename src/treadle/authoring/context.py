"""Which trace is under way, and whether a file is being loaded; tools and pipelines ask."""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from treadle.authoring.pipelines import PipelineFunction
    from treadle.authoring.scripts import ScriptTool
    from treadle.authoring.tools import ToolFunction


class Tracer(Protocol):
    """Takes the calls of tools and pipelines instead of running them."""

    def call_tool(
        self, tool: "ToolFunction[..., Any]", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any: ...

    def call_script(self, script: "ScriptTool", given: dict[str, Any]) -> Any: ...

    def call_pipeline(
        self, pipeline: "PipelineFunction[..., Any]", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any: ...


current: ContextVar[Tracer | None] = ContextVar("treadle_trace", default=None)
loading: ContextVar[bool] = ContextVar("treadle_loading", default=False)
