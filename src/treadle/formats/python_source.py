"""A pipeline file as Python: a @pipeline that uses treadle.script, treadle.command and @tool."""

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from treadle.errors import InvalidDefinition
from treadle.formats.definition import EXECUTION
from treadle.formats.project import Project
from treadle.formats.python_text import (
    WIDTH,
    broken,
    call,
    docstring,
    inside_docstring,
    named,
    quoted,
)
from treadle.formats.steps import words_of
from treadle.formats.templates import pieces
from treadle.model.bindings import Binding, Entries, Items, Output, Value, leaves
from treadle.model.graph import parents_of, topological
from treadle.model.records import Pipeline, Step, Tool

_ANNOTATIONS = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "dict",
    "null": "None",
}
_BOUNDS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "pattern": "pattern",
}
_WORD = re.compile(r"\W")
_Making = tuple[str, list[str] | None, str]  #: what to call, with what (None: not at all), the end


def python_source(document: Mapping[str, Any], pipeline: Pipeline, folder: Path) -> str:
    """The source of a Python file that stands beside the pipeline file and does the same.

    pipeline: what the document comes to. Raises InvalidDefinition for what Python cannot say.
    """
    return _Writer(document, pipeline, Project(folder, folder, PurePosixPath())).source()


@dataclass(slots=True)
class _Names:
    """Names of the file, each used once."""

    taken: set[str]

    def fresh(self, wanted: str) -> str:
        name = _WORD.sub("_", wanted) or "step"
        name = f"step_{name}" if name[0].isdigit() else name
        while name in self.taken or keyword.iskeyword(name):
            name += "_"
        self.taken.add(name)
        return name


class _Writer:
    def __init__(self, document: Mapping[str, Any], pipeline: Pipeline, project: Project) -> None:
        self._document, self._pipeline, self._project = document, pipeline, project
        self._schema = pipeline.parameters_schema
        self._parameters = dict(self._schema["properties"])
        self._imports: set[str] = {"import treadle"}
        modules = {
            tool.code.entry.partition(":")[0].partition(".")[0]
            for tool in pipeline.tools
            if tool.kind == "function"
        }
        self._names = _Names({"treadle", "json", "os", "msgspec", *modules, *self._parameters})
        self._variables: dict[str, str] = {}
        self._tools = {tool.id: tool for tool in pipeline.tools}
        self._steps = {step.name: step for step in pipeline.steps}
        self._used = {name for step in pipeline.steps for name in parents_of(step)}

    def source(self) -> str:
        self._refuse_what_python_lacks()
        function = self._names.fresh(self._pipeline.name.replace("-", "_"))
        signature = list(self._signature())
        order = topological({step.name: parents_of(step) for step in self._pipeline.steps})
        self._variables = {name: self._names.fresh(name) for name in order}
        body = [line for name in order for line in self._step(self._steps[name])]
        options = self._options(function)
        decorator = broken("@treadle.pipeline", options) if options else "@treadle.pipeline"
        described = self._pipeline.description
        lines = [f"    {docstring(described)}"] if described else []
        lines += [f"    {line}" for line in body]
        head = [
            f'"""{inside_docstring(self._pipeline.name)}, as Python."""',
            "",
            *self._import_lines(),
            "",
            "",
        ]
        return "\n".join([*head, decorator, broken(f"def {function}", signature) + ":", *lines, ""])

    def _refuse_what_python_lacks(self) -> None:
        for name in self._parameters:
            if keyword.iskeyword(name):
                self._refuse(f"a parameter cannot be called {name!r} in Python")
        parts = [("the pipeline", self._document), *self._document["steps"].items()]
        for owner, part in parts:
            if isinstance(part, Mapping) and "env_file" in part:
                self._refuse(f"`env_file` of {owner} has no counterpart", "Use `env`.")

    def _refuse(self, why: str, hint: str = "") -> NoReturn:
        raise InvalidDefinition(f"this cannot be written as Python: {why}.", hint=hint)

    def _import_lines(self) -> list[str]:
        typing = sorted(each for each in ("Annotated", "Literal") if each in self._imports)
        first = sorted(self._imports & {"import json", "import os"})
        first += [f"from typing import {', '.join(typing)}"] if typing else []
        found = self._imports - {*first, *typing}
        third = sorted(line for line in found if line in ("import treadle", "import msgspec"))
        own = sorted(found - set(third))
        blocks = [block for block in (first, third, own) if block]
        return [line for block in blocks for line in ("", *block)][1:]

    # the head

    def _signature(self) -> Iterable[str]:
        """Those with a default last, as Python wants it."""
        properties = self._parameters.items()
        for name, schema in sorted(properties, key=lambda item: "default" in item[1]):
            annotation = self._annotation(schema)
            text = f"{name}: {annotation}" if annotation else name
            equals = " = " if annotation else "="
            yield text + (f"{equals}{quoted(schema['default'])}" if "default" in schema else "")

    def _annotation(self, schema: Mapping[str, Any]) -> str:
        if "enum" in schema:
            if all(isinstance(each, str | int | None) for each in schema["enum"]):
                self._imports.add("Literal")
                return f"Literal[{', '.join(map(quoted, schema['enum']))}]"
            self._refuse("an enum of numbers with a point has no type")
        kinds = schema.get("type")
        if kinds is None:
            return ""
        names = [_ANNOTATIONS[each] for each in ([kinds] if isinstance(kinds, str) else kinds)]
        if "items" in schema:
            item = self._annotation(schema["items"]) or "object"
            names = [f"list[{item}]" if name == "list" else name for name in names]
        bounds = [f"{_BOUNDS[key]}={quoted(schema[key])}" for key in _BOUNDS if key in schema]
        if not bounds:
            return " | ".join(names)
        self._imports |= {"import msgspec", "Annotated"}
        bounded = [each for each in names if each != "None"]
        made = f"Annotated[{' | '.join(bounded)}, msgspec.Meta({', '.join(bounds)})]"
        return " | ".join([made, *(["None"] if "None" in names else [])])

    def _options(self, function: str) -> list[str]:
        """What the decorator says."""
        options: dict[str, str] = {}
        if self._pipeline.name != function:
            options["name"] = quoted(self._pipeline.name)
        for key in ("concurrency", "fail_fast", "priority"):
            value = self._document.get(key)
            if isinstance(value, str):
                self._refuse(f"`{key}` depends on a parameter")
            if value is not None and value is not False:
                options[key] = quoted(value)
        said = [f"{key}={value}" for key, value in options.items()]
        if self._is_fixed("env"):
            said += self._env(self._document.get("env") or {}, late=True)
        if self._is_fixed("environment"):
            said += self._environment(self._document.get("environment"))
        return said

    # the steps

    def _step(self, step: Step) -> list[str]:
        line = self._statement(step, long=False)
        return [line if len(line) <= WIDTH else self._statement(step, long=True)]

    def _statement(self, step: Step, *, long: bool) -> str:
        tool = self._tools[step.tool_id]
        written = self._document["steps"][step.name]
        name, items, end = (
            self._function(tool, written)
            if tool.kind == "function"
            else (self._script(tool, written))
        )
        made = call(name, items, broken=long) + end if items is not None else name
        made += f".named({quoted(step.name)})" if step.name != tool.name else ""
        if tool.kind == "function" and (options := self._execution(written)):
            made += f".options({', '.join(options)})"
        if after := [self._variables[each] for each in step.after]:
            made += f".after({', '.join(after)})"
        arguments = [named(key, value) for key, value in self._arguments(step, written)]
        broken_too = long and sum(map(len, arguments)) > WIDTH // 2
        assigned = f"{self._variables[step.name]} = " if step.name in self._used else ""
        return assigned + call(made, arguments, broken=broken_too)

    def _function(self, tool: Tool, written: Mapping[str, Any]) -> _Making:
        module, _, qualname = tool.code.entry.partition(":")
        self._imports.add(f"import {module}")
        found = self._project.function(tool.code.entry).function
        is_tool = found is not None and found.is_tool
        name = f"{module}.{qualname}"
        around = self._surroundings(written)
        if isinstance(written.get("outputs"), list):
            around.insert(0, f"outputs={quoted(written['outputs'])}")
        if not around:
            return (name, None, "") if is_tool else ("treadle.tool", [name], "")
        if is_tool and found is not None:  # its decorator again, with more
            if found.unread:
                why = f"{name} is a @tool whose options are no literals"
                self._refuse(why, "Say there what this file says of it.")
            given = {each.partition("=")[0] for each in around}
            said = [
                f"{key}={quoted(value)}" for key, value in found.options.items() if key not in given
            ]
            return "treadle.tool", [*said, *around], f"({name}.function)"
        return "treadle.tool", around, f"({name})"

    def _script(self, tool: Tool, written: Mapping[str, Any]) -> _Making:
        options = self._surroundings(written)
        files = written.get("outputs")
        if isinstance(files, dict) or tool.outputs:
            outputs = files if isinstance(files, dict) else list(tool.outputs)
            options.append(f"outputs={self._value(outputs)}")
        options += self._execution(written)
        if not tool.code.entry:
            command = written["command"]
            words = words_of(command) if isinstance(command, str) else command
            return "treadle.command", [*map(self._text, words), *options], ""
        if args := written.get("args"):
            listed = ", ".join(self._text(each) for each in args)
            options.insert(0, f"args=[{listed}]")
        return "treadle.script", [self._value(written["script"]), *options], ""

    def _surroundings(self, written: Mapping[str, Any]) -> list[str]:
        """What the step says, and what the pipeline says where its decorator cannot."""
        outer = {} if self._is_fixed("env") else self._document.get("env") or {}
        late = "function" not in written
        found = self._env({**outer, **(written.get("env") or {})}, late=late)
        environment = written.get("environment")
        if environment is None and not self._is_fixed("environment"):
            environment = self._document.get("environment")
        return [*found, *self._environment(environment)]

    def _is_fixed(self, key: str) -> bool:
        """Whether the decorator can say it: no parameter is in it, nor text that scripts and
        functions would understand differently."""
        value = self._document.get(key)
        return not self._uses_parameters(value) and "$${" not in quoted(value)

    def _uses_parameters(self, value: Any) -> bool:
        if isinstance(value, str):
            options = (self._document.get("environments") or {}).get(value)
            if options is not None and self._uses_parameters(options):
                return True
            return any(part.name in self._parameters for part in pieces(value) if part.name)
        if isinstance(value, dict):
            return any(map(self._uses_parameters, value.values()))
        return isinstance(value, list) and any(map(self._uses_parameters, value))

    def _env(self, env: Mapping[str, Any], *, late: bool) -> list[str]:
        pairs = [f"{quoted(key)}: {self._text(value, late=late)}" for key, value in env.items()]
        return [f"env={{{', '.join(pairs)}}}"] if pairs else []

    def _environment(self, environment: Any) -> list[str]:
        environments = self._document.get("environments") or {}
        if isinstance(environment, str) and environment in environments:
            environment = environments[environment]
        return [f"environment={self._value(environment)}"] if environment else []

    def _execution(self, written: Mapping[str, Any]) -> list[str]:
        return [f"{key}={self._value(written[key])}" for key in EXECUTION if key in written]

    def _arguments(self, step: Step, written: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        arguments = step.arguments
        if self._tools[step.tool_id].kind == "script":
            inputs = arguments["inputs"]
            arguments = inputs.entries if isinstance(inputs, Entries) else {}
        for name, binding in arguments.items():
            if any(isinstance(leaf, Output) for leaf in leaves(binding)):
                yield name, self._binding(binding)
        for name, value in (written.get("parameters") or {}).items():
            yield name, self._value(value)

    def _binding(self, binding: Binding) -> str:
        if isinstance(binding, Output):
            variable = self._variables[binding.step]
            tool = self._tools[self._steps[binding.step].tool_id]
            return variable if len(tool.outputs) == 1 else f"{variable}.{binding.name}"
        if isinstance(binding, Items):
            return f"[{', '.join(map(self._binding, binding.items))}]"
        if isinstance(binding, Entries):
            pairs = (
                f"{quoted(key)}: {self._binding(each)}" for key, each in binding.entries.items()
            )
            return f"{{{', '.join(pairs)}}}"
        return quoted(binding.value) if isinstance(binding, Value) else ""

    # values

    def _value(self, value: Any) -> str:
        """An expression for a value of the file, its templates as names."""
        if isinstance(value, dict):
            pairs = (f"{quoted(key)}: {self._value(each)}" for key, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self._value, value))}]"
        if not isinstance(value, str):
            return quoted(value)
        parts = pieces(value)
        if len(parts) == 1 and parts[0].name:
            return parts[0].name
        return self._joined(parts, late=False)

    def _text(self, value: Any, *, late: bool = True) -> str:
        """An expression for text. late: the step's own templates stay in it."""
        if not isinstance(value, str):
            return quoted(str(value).lower() if isinstance(value, bool) else str(value))
        return self._joined(pieces(value), late=late)

    def _joined(self, parts: list[Any], *, late: bool) -> str:
        texts = []
        for part in parts:
            if part.name is None:
                texts.append(quoted(part.text if late else part.text.replace("$${", "${")))
            elif part.name.startswith("env."):
                self._imports.add("import os")
                texts.append(f"os.environ[{quoted(part.name.removeprefix('env.'))}]")
            elif part.name in self._parameters:
                texts.append(self._as_text(part.name))
            else:
                texts.append(quoted(part.text))
        return " + ".join(texts) or '""'

    def _as_text(self, name: str) -> str:
        kind = self._parameters[name].get("type")
        if kind == "string":
            return name
        if kind in ("integer", "number"):
            return f"str({name})"
        self._imports.add("import json")
        if kind is None:
            return (
                f"({name} if isinstance({name}, str) else json.dumps({name}, ensure_ascii=False))"
            )
        return f"json.dumps({name}, ensure_ascii=False)"
