"""Drafts of steps become tools and steps of the model, bound to each other and to their code."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec import UNSET

from treadle.errors import InvalidDefinition
from treadle.formats.checking import read
from treadle.formats.definition import StepDefinition
from treadle.formats.environments import read_environment
from treadle.formats.files import DISK, Files
from treadle.formats.problems import Path as KeyPath
from treadle.formats.problems import Problems
from treadle.formats.project import Project
from treadle.formats.references import Outputs, References
from treadle.formats.steps import Draft, StepReader
from treadle.formats.templates import Templates
from treadle.formats.variables import VariableReader
from treadle.model.bindings import Binding, Entries, Value
from treadle.model.graph import find_cycle, nearest, parents_of
from treadle.model.identity import hash_of, identified
from treadle.model.options import execution_from
from treadle.model.records import (
    OWN_ENVIRONMENT,
    Code,
    Environment,
    Execution,
    Step,
    Tool,
)
from treadle.model.secrets import Variables

Built = tuple[tuple[Tool, ...], tuple[Step, ...], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a pipeline file lies. shown: its folder in messages; root: of its project."""

    folder: Path
    root: Path
    shown: PurePosixPath
    snapshot: str
    folder_in_snapshot: str
    project_dir: str
    files: Files = DISK


class Builder:
    """Builds the steps of one file; what is wrong is told, and the rest goes on."""

    def __init__(self, site: Site, templates: Templates, problems: Problems) -> None:
        self._site, self._templates, self._problems = site, templates, problems
        self._project = Project(site.folder, site.root, site.shown, site.files)
        self._variables = VariableReader(site.folder, templates, problems, site.files)
        self._executions: dict[str, Execution] = {}
        self._environments: dict[str, Environment] = {}
        self._named: Mapping[str, Any] = {}
        self._own = OWN_ENVIRONMENT
        self._outer: dict[bool, Variables] = {}  # by whether the step completes templates
        self._failed: list[str] = []

    def build(self, document: Mapping[str, Any], steps: Iterator[tuple[str, Any]]) -> Built:
        """(tools, steps, values of secrets by key)."""
        drafts = list(self._drafts(steps))
        names = {draft.name: draft.outputs for draft in drafts}
        self._read_surroundings(document)
        references = References(names, self._problems)
        for name in self._failed:
            names[name] = Outputs(is_open=True)
        bound = {draft.name: self._arguments(draft, references) for draft in drafts}
        tools: dict[str, Tool] = {}
        secrets = dict(self._outer[True].values)
        made = []
        for draft in drafts:
            tool, variables = self._tool(draft)
            tools[tool.id] = tool
            secrets.update(variables.values)
            made.append(self._step(draft, tool, bound[draft.name], references))
        self._check_cycles(made)
        return tuple(tools.values()), tuple(made), secrets

    def _drafts(self, steps: Iterator[tuple[str, Any]]) -> Iterator[Draft]:
        reader = StepReader(self._project, self._problems)
        for name, written in steps:
            path: KeyPath = ("steps", name)
            definition = read(StepDefinition, written, path, self._problems)
            draft = None if definition is None else reader.draft(name, definition, path)
            if draft is None:
                self._failed.append(name)
            else:
                yield draft

    # what is around the steps

    def _read_surroundings(self, document: Mapping[str, Any]) -> None:
        named = self._templates.fill(document.get("environments"), ("environments",))
        self._named = named if isinstance(named, dict) else {}
        for name, options in self._named.items():
            self._environment(options, ("environments", name))
        own = self._templates.fill(document.get("environment"), ("environment",))
        self._own = self._environment(own, ("environment",))
        for late in (True, False):
            self._outer[late] = self._variables.read(document, (), scope="", late=late)

    def _environment(self, options: Any, path: KeyPath) -> Environment:
        """Read once, however many steps name it."""
        if isinstance(options, str) and options in self._named and path[0] != "environments":
            options, path = self._named[options], ("environments", options)
        if not isinstance(options, str | dict):
            return OWN_ENVIRONMENT
        key = json.dumps(options, sort_keys=True)
        if key not in self._environments:
            self._environments[key] = OWN_ENVIRONMENT
            try:
                where = self._problems.where(path)
                site = self._site
                self._environments[key] = read_environment(options, site.folder, where, site.files)
            except InvalidDefinition as error:
                self._tell_of_environment(options, path, error)
        return self._environments[key]

    def _tell_of_environment(self, options: Any, path: KeyPath, error: InvalidDefinition) -> None:
        if isinstance(options, str) and (near := nearest(options, self._named)):
            self._problems.add(path, f"there is no environment {options!r}.", near)
        elif not self._problems.has_below(path):  # the file's class told it already
            self._problems.add_error(path, error)

    # a step

    def _arguments(self, draft: Draft, references: References) -> dict[str, Binding]:
        path = (*draft.path, "inputs")
        found = {
            name: references.binding(each, (*path, name)) for name, each in draft.inputs.items()
        }
        inputs = {name: binding for name, binding in found.items() if binding is not None}
        parameters = draft.parameters
        if draft.is_function:
            return {**inputs, **{name: Value(value) for name, value in parameters.items()}}
        arguments: dict[str, Binding] = {
            "inputs": Entries(inputs) if inputs else Value({}),
            "parameters": Value(dict(parameters)),
            "args": Value(list(draft.args)),
        }
        if draft.files:
            arguments["output_files"] = Value(dict(draft.files))
        return arguments

    def _tool(self, draft: Draft) -> tuple[Tool, Variables]:
        variables = self._around(draft)
        definition = draft.definition
        description = definition.description or ""
        if not description and draft.function is not None:
            description = draft.function.description
        outputs = tuple(draft.outputs.names)
        written = [draft.entry, draft.source, draft.args, outputs, sorted(draft.files.items())]
        version = hash_of(written)[:12]
        if label := draft.defaults.get("version"):
            version = f"{label}+{version}"
        environment = self._environment_of(draft)
        self._check_syntax(draft, environment)
        self._check_installed(draft, environment)
        tool = Tool(
            id="",
            name=draft.tool_name,
            version=version,
            code=self._code(draft),
            kind="function" if draft.is_function else "script",
            description=description,
            outputs=outputs,
            execution=self._execution(draft),
            environment=environment,
            variables=variables.plain,
            secrets=variables.secrets,
        )
        return identified(tool), variables

    def _check_syntax(self, draft: Draft, environment: Environment) -> None:
        """Another Python may well read what ours cannot."""
        name = draft.entry.partition(":")[0] if draft.is_function else draft.entry
        error = self._project.unreadable.get(name)
        if error is None:
            return
        path = (*draft.path, "function" if draft.is_function else "script")
        if environment.interpreter or environment.python or environment.conda:
            hint = "The step has a Python of its own, which may read it."
            self._problems.warn(path, f"{error.where}: {error.message}.", hint)
        else:
            self._problems.add_error(path, error)

    def _check_installed(self, draft: Draft, environment: Environment) -> None:
        """Elsewhere than here the steps that bring no environment find what we find."""
        if not draft.absent:
            return
        path, own = (*draft.path, "function"), environment == OWN_ENVIRONMENT
        if self._site.files.is_here or not own:
            self._problems.warn(path, draft.absent, draft.near)
        else:
            self._problems.add(path, draft.absent, draft.near or self._site.files.hint)

    def _code(self, draft: Draft) -> Code:
        site = self._site
        is_installed = draft.is_function and not draft.source
        return Code(
            kind="snapshot",
            digest="" if is_installed else site.snapshot,
            entry=draft.entry,
            project_dir=site.project_dir,
            folder="" if is_installed else site.folder_in_snapshot,
        )

    def _around(self, draft: Draft) -> Variables:
        late = not draft.is_function
        variables = self._outer[late]
        scope = f"{draft.name}/"
        said = draft.defaults.get("env")
        if isinstance(said, dict):
            path = (*draft.path, "function")
            of_tool = self._variables.read({"env": _literal(said)}, path, scope=scope, late=late)
            variables = of_tool.over(variables)
        definition = draft.definition
        part = {
            key: value
            for key, value in (("env", definition.env), ("env_file", definition.env_file))
            if value is not UNSET
        }
        if part:
            mine = self._variables.read(part, draft.path, scope=scope, late=late)
            variables = mine.over(variables)
        return variables

    def _environment_of(self, draft: Draft) -> Environment:
        written = draft.definition.environment
        if written is None:
            return OWN_ENVIRONMENT
        if written is not UNSET:
            options = msgspec.to_builtins(written)
            return self._environment(options, (*draft.path, "environment"))
        if "environment" in draft.defaults:
            return self._environment(draft.defaults["environment"], (*draft.path, "function"))
        return self._own

    def _execution(self, draft: Draft) -> Execution:
        options = draft.execution_options
        if not options:
            return _PLAIN
        key = repr(options)
        if key not in self._executions:
            self._executions[key] = self._read_execution(draft, options)
        return self._executions[key]

    def _read_execution(self, draft: Draft, options: Mapping[str, Any]) -> Execution:
        execution = _PLAIN
        for option, value in options.items():
            owner, path = f"step {draft.name!r}", (*draft.path, option)
            try:
                execution = execution_from(execution, {option: value}, owner=owner, where="")
            except InvalidDefinition as error:
                self._problems.add_error(path, error)
        return execution

    def _step(
        self, draft: Draft, tool: Tool, arguments: dict[str, Binding], references: References
    ) -> Step:
        written = draft.definition.after or []
        names = [written] if isinstance(written, str) else written
        after = []
        for index, name in enumerate(names):
            path = (*draft.path, "after")
            if references.check_after(name, path if isinstance(written, str) else (*path, index)):
                after.append(name)
        line, _ = self._problems.place(draft.path, at_key=True)
        return Step(
            name=draft.name,
            tool_id=tool.id,
            arguments=arguments,
            after=tuple(dict.fromkeys(after)),
            where=f"{self._problems.file}:{line}",
        )

    def _check_cycles(self, steps: list[Step]) -> None:
        parents = {step.name: parents_of(step) for step in steps}
        known = {name: above & parents.keys() for name, above in parents.items()}
        if cycle := find_cycle(known):
            self._problems.add(
                ("steps", cycle[0]),
                f"steps wait for each other in a circle: {' -> '.join(cycle)}.",
                "Remove one of these inputs.",
                at_key=True,
            )


_PLAIN = Execution()


def _literal(env: Mapping[Any, Any]) -> dict[str, Any]:
    """Variables that Python says: nothing in them is a template."""
    return {
        str(name): value.replace("${", "$${") if isinstance(value, str) else value
        for name, value in env.items()
    }
