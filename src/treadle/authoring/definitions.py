"""Decorated functions as the records that the ledger keeps."""

import inspect
from collections.abc import Mapping
from typing import Any, TypedDict

from treadle.authoring.pipelines import PipelineFunction
from treadle.authoring.scripts import ScriptTool
from treadle.authoring.signatures import Parameters, as_json
from treadle.authoring.tools import ToolFunction
from treadle.authoring.versions import version_of
from treadle.model.bindings import Binding
from treadle.model.identity import hash_of, identified
from treadle.model.records import Code, Environment, Pipeline, Step, Tool


class Around(TypedDict):
    """Fields of a Tool."""

    environment: Environment
    variables: Mapping[str, str]
    secrets: Mapping[str, str]


def tool_record(tool: ToolFunction[..., Any], code: Code, around: Around) -> Tool:
    """The tool with its code and what is around it."""
    return identified(
        Tool(
            id="",
            name=tool.name,
            version=version_of(tool.function, tool.parameters.schema, tool.label),
            code=code,
            description=inspect.getdoc(tool.function) or "",
            parameters_schema=tool.parameters.schema,
            outputs=tool.outputs,
            execution=tool.execution,
            **around,
        )
    )


def script_record(tool: ScriptTool, code: Code, around: Around, outputs: tuple[str, ...]) -> Tool:
    """The script with its code. outputs: those that some step takes, where it declares none."""
    return identified(
        Tool(
            id="",
            name=tool.name,
            version=hash_of([tool.source, tool.args])[:12],
            code=code,
            kind="script",
            outputs=outputs,
            execution=tool.execution,
            **around,
        )
    )


def pipeline_record(
    pipeline: PipelineFunction[..., Any],
    tools: tuple[Tool, ...],
    steps: tuple[Step, ...],
    output: Binding | None,
) -> Pipeline:
    """The pipeline with the steps it came to."""
    schema = pipeline.parameters.schema
    return Pipeline(
        name=pipeline.name,
        version=version_of(pipeline.function, schema),
        tools=tools,
        steps=steps,
        description=inspect.getdoc(pipeline.function) or "",
        parameters_schema=schema,
        output=output,
        concurrency=pipeline.concurrency,
    )


def recorded(parameters: Parameters, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON, for people: defaults included, other values by their type."""
    defaults = {
        name: parameter.default
        for name, parameter in parameters.signature.parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return {name: as_json(value) for name, value in {**defaults, **values}.items()}
