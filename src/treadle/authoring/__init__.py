"""What a user writes with: @tool, @pipeline, tracing, bundles.

Tool modules are imported inside every worker, so this package needs only the standard library
until a pipeline is traced or a schema asked for.
"""

from treadle.authoring.pipelines import PipelineFunction, pipeline
from treadle.authoring.scripts import ScriptTool, command, script
from treadle.authoring.tools import ToolFunction, tool

__all__ = [
    "PipelineFunction",
    "ScriptTool",
    "ToolFunction",
    "command",
    "pipeline",
    "script",
    "tool",
]
