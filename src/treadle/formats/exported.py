"""A pipeline of the model as a document for a pipeline file, where one can say the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from treadle.errors import InvalidDefinition
from treadle.formats.steps import STEP_NAME
from treadle.formats.templates import escaped
from treadle.model.bindings import (
    DEFAULT_OUTPUT,
    Binding,
    Entries,
    Items,
    Output,
    Stored,
    Value,
    leaves,
)
from treadle.model.quantities import duration_text, size_text
from treadle.model.records import OWN_ENVIRONMENT, Environment, Execution, Pipeline, Step, Tool

_OPTIONS = {
    "cpus": "cpus",
    "memory": "memory_bytes",
    "gpus": "gpus",
    "timeout": "timeout_seconds",
    "retries": "retries",
    "backoff": "backoff_seconds",
    "retry_on": "retry_on",
    "on_lost": "on_lost",
    "grace": "grace_seconds",
}
_DURATIONS = ("timeout", "backoff", "grace")
_NOT_THEIRS = re.compile(r"(?<!\$)\$\{(?!(inputs|outputs|parameters)\.[^{}]*\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """notes: what the document does not say, a sentence each."""

    document: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def exported(
    pipeline: Pipeline,
    parameters: Mapping[str, Any] | None = None,
    *,
    priority: int = 0,
    fail_fast: bool = False,
) -> Exported:
    """The document of a pipeline, its parameters written in.

    Raises InvalidDefinition that names what no file can say.
    """
    tools = {tool.id: tool for tool in pipeline.tools}
    outputs = {step.name: tools[step.tool_id].outputs for step in pipeline.steps}
    document: dict[str, Any] = {"name": pipeline.name}
    if pipeline.description:
        document["description"] = pipeline.description
    if pipeline.concurrency is not None:
        document["concurrency"] = pipeline.concurrency
    if fail_fast:
        document["fail_fast"] = True
    if priority:
        document["priority"] = priority
    document["steps"] = {
        step.name: _Exporter(step, tools[step.tool_id], outputs).document()
        for step in pipeline.steps
    }
    return Exported(document=document, notes=tuple(_notes(pipeline, parameters or {})))


def _notes(pipeline: Pipeline, parameters: Mapping[str, Any]) -> list[str]:
    found = []
    if parameters:
        written = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
        found.append(f"The parameters are written in: {written}.")
    if pipeline.output is not None:
        found.append("What the pipeline returns is not written: a file has results of steps only.")
    return found


class _Exporter:
    """Writes one step. outputs: of all steps."""

    def __init__(self, step: Step, tool: Tool, outputs: Mapping[str, tuple[str, ...]]) -> None:
        self._step, self._tool, self._outputs = step, tool, outputs

    def document(self) -> dict[str, Any]:
        tool = self._tool
        if not STEP_NAME.fullmatch(self._step.name):
            self._refuse("its name has characters that a file does not allow")
        if tool.code.kind == "value":
            hint = "Put the function into a file of the project, and import it from there."
            self._refuse(f"the function {tool.code.entry!r} is sent by value", hint)
        if tool.kind not in ("function", "script"):
            self._refuse(f"it is a {tool.kind}")
        found = self._function() if tool.kind == "function" else self._script()
        if self._step.after:
            found["after"] = list(self._step.after)
        return found | self._around()

    def _function(self) -> dict[str, Any]:
        tool, arguments = self._tool, self._step.arguments
        found: dict[str, Any] = {"function": tool.code.entry}
        inputs = {k: self._input(k, b) for k, b in arguments.items() if _has_output(b)}
        values = {k: self._plain(k, b) for k, b in arguments.items() if k not in inputs}
        found |= {"inputs": inputs} if inputs else {}
        found |= {"parameters": values} if values else {}
        if tool.outputs != (DEFAULT_OUTPUT,):
            found["outputs"] = list(tool.outputs)
        return found

    def _script(self) -> dict[str, Any]:
        tool, arguments = self._tool, self._step.arguments
        args = [_late(text) for text in self._plain("args", arguments["args"], raw=True)]
        found: dict[str, Any] = {"script": tool.code.entry} if tool.code.entry else {}
        found |= {"args" if found else "command": args} if args or not found else {}
        inputs = arguments["inputs"]
        if isinstance(inputs, Entries):
            found["inputs"] = {k: self._input(k, b) for k, b in inputs.entries.items()}
        if values := self._plain("parameters", arguments["parameters"]):
            found["parameters"] = values
        files = self._plain("output_files", arguments.get("output_files", Value({})), raw=True)
        if files:
            found["outputs"] = {name: files.get(name, name) for name in tool.outputs}
        elif tool.outputs:
            found["outputs"] = list(tool.outputs)
        return found

    def _around(self) -> dict[str, Any]:
        tool = self._tool
        found: dict[str, Any] = {}
        if tool.description and tool.kind == "script":
            found["description"] = tool.description
        found |= _execution(self._step.execution or tool.execution, tool.execution)
        write = _late if tool.kind == "script" else escaped
        env = {name: write(text) for name, text in tool.variables.items()}
        env |= {name: f"${{env.{name}}}" for name in tool.secrets}
        if env:
            found["env"] = env
        if tool.environment != OWN_ENVIRONMENT:
            found["environment"] = self._environment(tool.environment)
        return found

    def _environment(self, environment: Environment) -> dict[str, Any]:
        if environment.conda:
            hint = "Write the step by hand: environment: {conda: environment.yml}."
            self._refuse("its conda environment is the content of another file", hint)
        written = {
            "interpreter": environment.interpreter,
            "python": environment.python,
            "requirements": list(environment.requirements),
        }
        return {key: value for key, value in written.items() if value}

    def _input(self, name: str, binding: Binding) -> Any:
        if isinstance(binding, Output):
            several = len(self._outputs[binding.step]) > 1 or binding.name != DEFAULT_OUTPUT
            return f"{binding.step}.{binding.name}" if several else binding.step
        if isinstance(binding, Items) and binding.kind == "list":
            return [self._input(name, each) for each in binding.items]
        if isinstance(binding, Entries):
            return {key: self._input(name, each) for key, each in binding.entries.items()}
        if isinstance(binding, Items):
            self._refuse(f"{name!r} is a tuple, and a file has lists only", "Pass a list.")
        hint = "Pass them as two arguments."
        self._refuse(f"{name!r} has results of steps and plain values in one", hint)

    def _plain(self, name: str, binding: Binding, *, raw: bool = False) -> Any:
        if isinstance(binding, Value):
            return binding.value if raw else _literal(binding.value)
        if isinstance(binding, Stored):
            self._refuse(f"{name!r} is no JSON", "Make it in a step, or give a file's name.")
        self._refuse(f"{name!r} is a tuple, and a file has lists only", "Pass a list.")

    def _refuse(self, why: str, hint: str = "") -> NoReturn:
        raise InvalidDefinition(
            f"step {self._step.name!r} cannot be written into a file: {why}.",
            where=self._step.where,
            hint=hint,
        )


def _has_output(binding: Binding) -> bool:
    return any(isinstance(leaf, Output) for leaf in leaves(binding))


def _execution(execution: Execution, said: Execution) -> dict[str, Any]:
    """The options that differ from the defaults, or from what @tool says."""
    found = {}
    for option, field in _OPTIONS.items():
        value = getattr(execution, field)
        if value in (getattr(Execution(), field), None) and value == getattr(said, field):
            continue
        found[option] = _option(option, value)
    return found


def _option(option: str, value: Any) -> Any:
    if value is None:
        return None
    if option == "memory":
        return size_text(value)
    if option in _DURATIONS:
        return duration_text(timedelta(seconds=value)) if value and value % 60 == 0 else value
    if option == "retry_on":
        return [str(each.value) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _literal(value: Any) -> Any:
    """Plain data in which nothing is a template."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    return [_literal(each) for each in value] if isinstance(value, list) else value


def _late(text: str) -> str:
    """Text whose own templates stay, so that what only looks like one is not taken for one."""
    return _NOT_THEIRS.sub("$${", text)
