"""Tracing: a pipeline's function is called with handles in place of results, to find its steps."""

import contextlib
from collections import namedtuple
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from treadle.authoring import by_value, context, places
from treadle.authoring.bundles import Bundle
from treadle.authoring.code import AnyTool, CodeChooser
from treadle.authoring.constants import Constants, Pickling, contains_handle
from treadle.authoring.definitions import (
    Around,
    pipeline_record,
    recorded,
    script_record,
    tool_record,
)
from treadle.authoring.handles import StepResult, check_belongs
from treadle.authoring.pipelines import PipelineFunction
from treadle.authoring.plain import is_plain
from treadle.authoring.scripts import ScriptTool
from treadle.authoring.tools import ToolFunction
from treadle.errors import InvalidDefinition
from treadle.model import graph
from treadle.model.bindings import Binding, Output, Value, leaves
from treadle.model.records import Pipeline, Step, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What is to be sent to have a pipeline run."""

    pipeline: Pipeline
    parameters: Mapping[str, Any]  #: JSON, defaults included
    blobs: Mapping[str, bytes]  #: to upload first, by digest
    secrets: Mapping[str, str] = field(repr=False)
    bundles: tuple[Bundle, ...] = ()  #: snapshots to upload first
    priority: int = 0
    fail_fast: bool = False

    def submission(self, labels: Mapping[str, str] | None = None) -> Submission:
        """The request for a run."""
        return Submission(
            pipeline=self.pipeline,
            parameters=self.parameters,
            priority=self.priority,
            fail_fast=self.fail_fast,
            labels=labels or {},
            source=self.bundles[0].source if self.bundles else None,
            secrets=self.secrets,
        )


def trace(
    pipeline: PipelineFunction[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    codes: CodeChooser | None = None,
    where: str = "",
) -> Traced:
    """Bind and check the parameters, then find the steps.

    codes: how tools are pinned to code; default: by where their functions come from.
    where: the place to blame for wrong parameters; default: the caller's.
    Raises InvalidParameters or InvalidDefinition, with file and line.
    """
    where = where or places.of_call() or pipeline.where
    bound = pipeline.parameters.bind(args, kwargs, where=where)
    values = {
        name: pipeline.parameters.check(name, value, where=where) for name, value in bound.items()
    }
    tracer = _Trace(pipeline, codes or CodeChooser())
    with tracer.under_way():
        returned = pipeline.function(**values)
        tracer.check_not_empty()
        output = tracer.bind_output(returned)
    return tracer.traced(recorded(pipeline.parameters, values), output)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A step whose tool is not yet pinned to code."""

    step: Step
    tool: AnyTool | ScriptTool


@dataclass(slots=True)
class _Scope:
    """Names within one pipeline or one inlined use of another."""

    prefix: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    def fresh(self, name: str) -> str:
        """The name, or name-2, name-3, ... where it was used before."""
        self.counts[name] = count = self.counts.get(name, 0) + 1
        return self.prefix + (name if count == 1 else f"{name}-{count}")


class _Trace:
    """The tracer of one call of a pipeline."""

    def __init__(self, pipeline: PipelineFunction[..., Any], codes: CodeChooser) -> None:
        self._pipeline, self._codes = pipeline, codes
        self._constants = Constants(trace=self, pipeline=pipeline.name)
        self._placed: dict[str, _Placed] = {}
        self._scope = _Scope()

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        token = context.current.set(self)
        try:
            yield
        finally:
            context.current.reset(token)

    def call_tool(self, tool: AnyTool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record a step; return its handle, or a named tuple of handles."""
        where = places.of_call()
        bound = tool.parameters.bind(args, kwargs, where=where)
        name = self._name(tool, where)
        is_value = self._codes.origin_of(tool).kind == "value"
        pickling: Pickling = by_value.own_modules if is_value else contextlib.nullcontext
        arguments: dict[str, Binding] = {}
        for key, value in bound.items():
            if not contains_handle(value):
                tool.parameters.check(key, value, where=where)
            what = f"argument {key!r} of step {name!r}"
            arguments[key] = self._constants.bind(value, what, where, pickling)
        return self._place(name, tool, arguments, where, tool.outputs)

    def call_script(self, script: ScriptTool, given: dict[str, Any]) -> Any:
        """Record a step: results of steps are its inputs, plain values its parameters."""
        where = places.of_call()
        name = self._name(script, where)
        inputs = {key: value for key, value in given.items() if contains_handle(value)}
        parameters = {key: value for key, value in given.items() if key not in inputs}
        for key, value in parameters.items():
            if not is_plain(value):
                raise InvalidDefinition(
                    f"parameter {key!r} of step {name!r} is no JSON data, but "
                    f"{type(value).__name__}; a script in any language must be able to read it.",
                    where=where,
                    hint="Make it in a step, and pass that step's result.",
                )
        arguments: dict[str, Binding] = {
            "inputs": self._constants.bind(inputs, f"an input of step {name!r}", where),
            "parameters": Value(parameters),
            "args": Value(list(script.args)),
        }
        if script.output_files:
            arguments["output_files"] = Value(dict(script.output_files))
        return self._place(name, script, arguments, where, script.results)

    def _place(
        self,
        name: str,
        tool: AnyTool | ScriptTool,
        arguments: Mapping[str, Binding],
        where: str,
        outputs: tuple[str, ...],
    ) -> Any:
        """Record the step; return its handle, or a named tuple of handles."""
        for handle in tool.placement.after:
            check_belongs(handle, self, self._pipeline.name)
        step = Step(
            name=name,
            tool_id="",
            arguments=arguments,
            after=tuple(dict.fromkeys(handle.step for handle in tool.placement.after)),
            where=where,
            execution=tool.placement.execution,
        )
        self._placed[name] = _Placed(step=step, tool=tool)
        made = [StepResult(step=name, output=output, where=where, trace=self) for output in outputs]
        if len(made) == 1:
            return made[0]
        return namedtuple(f"{tool.name}_outputs".replace("-", "_"), outputs)(*made)

    def call_pipeline(
        self, pipeline: PipelineFunction[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Place the steps of another pipeline here, their names after its own."""
        where = places.of_call()
        bound = pipeline.parameters.bind(args, kwargs, where=where)
        values = {
            key: value
            if contains_handle(value)
            else pipeline.parameters.check(key, value, where=where)
            for key, value in bound.items()
        }
        outer = self._scope
        self._scope = _Scope(outer.fresh(pipeline.name) + "/")
        try:
            return pipeline.function(**values)
        finally:
            self._scope = outer

    def _name(self, tool: AnyTool | ScriptTool, where: str) -> str:
        if not tool.placement.step:
            name = self._scope.fresh(tool.name)
            while name in self._placed:  # an explicit name took it
                name = self._scope.fresh(tool.name)
            return name
        name = self._scope.prefix + tool.placement.step
        if name in self._placed:
            raise InvalidDefinition(
                f"two steps are called {name!r} (the other at {self._placed[name].step.where})",
                where=where,
                hint="Give one of them another name.",
            )
        return name

    def check_not_empty(self) -> None:
        if not self._placed:
            raise InvalidDefinition(
                f"pipeline {self._pipeline.name!r} has no steps with these parameters.",
                where=self._pipeline.where,
                hint="Call at least one @tool in it.",
            )

    def bind_output(self, returned: Any) -> Binding | None:
        if returned is None:
            return None
        what = f"what pipeline {self._pipeline.name!r} returns"
        return self._constants.bind(returned, what, self._pipeline.where, by_value.own_modules)

    def traced(self, parameters: Mapping[str, Any], output: Binding | None) -> Traced:
        """Pin the tools to code, and check the whole."""
        functions = [tool for tool in self._tools() if isinstance(tool, ToolFunction)]
        scripts = [tool for tool in self._tools() if isinstance(tool, ScriptTool)]
        script_codes = {id(tool): self._codes.code_of_script(tool) for tool in scripts}
        pinned = self._codes.pin(functions)
        secrets: dict[str, str] = {}
        records = {
            id(tool): tool_record(tool, pinned.codes[id(tool)], self._around(tool, secrets))
            for tool in functions
        } | {
            id(tool): script_record(
                tool,
                script_codes[id(tool)],
                self._around(tool, secrets),
                tool.outputs or self._taken_from(tool, output),
            )
            for tool in scripts
        }
        tools = {tool.id: tool for tool in records.values()}
        steps = tuple(
            replace(placed.step, tool_id=records[id(placed.tool.original)].id)
            for placed in self._placed.values()
        )
        graph.check(steps, tools)
        definition = self._pipeline
        return Traced(
            pipeline=pipeline_record(definition, tuple(tools.values()), steps, output),
            parameters=parameters,
            blobs=self._constants.blobs | dict(pinned.blobs),
            secrets=secrets,
            bundles=pinned.bundles,
            priority=definition.priority,
            fail_fast=definition.fail_fast,
        )

    def _tools(self) -> Iterable[AnyTool | ScriptTool]:
        return {
            id(placed.tool.original): placed.tool.original for placed in self._placed.values()
        }.values()

    def _around(self, tool: AnyTool | ScriptTool, secrets: dict[str, str]) -> Around:
        """What is around the tool; its secrets' values are added to those of the run."""
        around = tool.surroundings.within(self._pipeline.surroundings)
        variables = around.variables(f"{tool.name}/")
        secrets.update(variables.values)
        return Around(
            environment=around.read_environment(),
            variables=variables.plain,
            secrets=variables.secrets,
        )

    def _taken_from(self, script: ScriptTool, output: Binding | None) -> tuple[str, ...]:
        """The outputs of a script that somebody takes."""
        steps = {name for name, placed in self._placed.items() if placed.tool.original is script}
        bindings = [b for placed in self._placed.values() for b in placed.step.arguments.values()]
        found = [leaf for b in (*bindings, *([output] if output else [])) for leaf in leaves(b)]
        taken = any(isinstance(leaf, Output) and leaf.step in steps for leaf in found)
        return script.results if taken else ()
