"""Treadle's own pipeline files: YAML or JSON becomes the model that Python pipelines become too."""

import functools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from treadle.errors import InvalidDefinition, InvalidParameters
from treadle.formats.building import Builder, Site
from treadle.formats.checking import fields, read_fields
from treadle.formats.definition import FREE, PipelineDefinition
from treadle.formats.files import DISK, Files
from treadle.formats.parameter_types import ROOT, TYPED, ParameterTypes, read_types, sample
from treadle.formats.problems import Problem, Problems
from treadle.formats.project import root_of
from treadle.formats.reading import Parsed, parse_file, without_collections
from treadle.formats.steps import words_of
from treadle.formats.templates import LATE_KEYS, Templates
from treadle.model.identity import hash_of
from treadle.model.records import Pipeline

_PLACED = re.compile(
    r"(?P<file>[^:\n]+):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<message>.*)", re.DOTALL
)
_LITERAL = ("name", "description", "parameters", "steps", "env", "env_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a pipeline file is, and what its steps are pinned to.

    snapshot: digest of the bundle; "" to only look at it. folder: of the file in the bundle.
    files: where the files that it names are; root: the top folder of these. variables: what
    `${env.NAME}` stands for, secrets all of them; None: the environment of this process.
    """

    file: Path
    snapshot: str = ""
    folder: str = ""
    project_dir: str = ""
    files: Files = DISK
    root: Path | None = None
    variables: Mapping[str, str] | None = field(default=None, repr=False)
    how: str = TYPED  #: to give a parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a pipeline file comes to, with these parameters."""

    pipeline: Pipeline
    parameters: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    priority: int = 0
    fail_fast: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """All that was found in a pipeline file. loaded: None if it cannot be run."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    loaded: Loaded | None


def load(
    place: Place,
    parameters: Mapping[str, Any] | None = None,
    text_parameters: Mapping[str, str] | None = None,
) -> Loaded:
    """Read and check a pipeline file.

    text_parameters: as typed on a command line. Raises InvalidDefinition that lists all that is
    wrong, InvalidParameters, NotFound, TooLarge; with file, line and column.
    """
    with without_collections():
        reader = _Reader(place)
        return reader.load(parameters or {}, text_parameters or {})


def load_parsed(
    place: Place,
    parsed: Parsed,
    parameters: Mapping[str, Any],
    text_parameters: Mapping[str, str],
) -> Loaded:
    """The same of a document that came otherwise; its mistakes are told as its `problems` say."""
    with without_collections():
        return _Reader(place, parsed).load(parameters, text_parameters)


def check(place: Place, text_parameters: Mapping[str, str] | None = None) -> Checked:
    """What is wrong with a pipeline file.

    Where no parameters are given, those without a default get a sample value.
    Raises NotFound and TooLarge only.
    """
    with without_collections():
        try:
            reader = _Reader(place)
        except InvalidDefinition as error:
            return Checked(problems=problems_of(error, str(place.file)), warnings=(), loaded=None)
        try:
            texts = text_parameters or {}
            loaded: Loaded | None = reader.load({}, texts, sampled=not texts)
            found: tuple[Problem, ...] = ()
        except InvalidDefinition as error:
            loaded, found = None, problems_of(error, reader.shown)
        return Checked(problems=found, warnings=tuple(reader.problems.warnings), loaded=loaded)


def problems_of(error: InvalidDefinition, file: str) -> tuple[Problem, ...]:
    """The problems that one error tells. file: where it does not say which."""
    if "problems" in error.details:
        return tuple(Problem(**each) for each in error.details["problems"])
    told = _PLACED.match(error.message)
    if told is None:
        return (Problem(file=file, line=0, column=0, message=error.message, hint=error.hint),)
    return (
        Problem(
            file=told["file"],
            line=int(told["line"]),
            column=int(told["column"] or 1),
            message=told["message"],
            hint=error.hint,
        ),
    )


class _Reader:
    """Reads one file, once."""

    def __init__(self, place: Place, parsed: Parsed | None = None) -> None:
        self.place = place
        self.folder = place.file.parent
        root = place.root or Path(place.project_dir or root_of(self.folder))
        inside = self.folder.is_relative_to(root)
        self.site = Site(
            folder=self.folder,
            root=root,
            shown=PurePosixPath(self.folder.relative_to(root) if inside else self.folder),
            snapshot=place.snapshot,
            folder_in_snapshot=place.folder,
            project_dir="" if place.root else place.project_dir or str(root),
            files=place.files,
        )
        self.shown = str(self.site.shown / place.file.name)
        if parsed is None:
            parsed = parse_file(place.file, self.shown)
        self.problems: Problems = parsed.problems
        self.document = {k: v for k, v in parsed.value.items() if not k.startswith(FREE)}

    def load(
        self, given: Mapping[str, Any], texts: Mapping[str, str], *, sampled: bool = False
    ) -> Loaded:
        types = self._types()
        try:
            where = self.problems.where((ROOT,), at_key=True)
            values, wrong = types.values(given, texts, where, self.place.how), None
        except InvalidParameters as error:
            values, wrong = sample(types.schema), None if sampled else error
        templates = self._templates(values)
        head = read_fields(PipelineDefinition, self._filled(templates), (), self.problems)
        builder = Builder(self.site, templates, self.problems)
        tools, steps, secrets = builder.build(self.document, self._steps(templates))
        self._check_secrets(templates)
        if wrong is not None and not self.problems.has_below((ROOT,)):
            self._tell_beside_others(wrong)
        self.problems.check()
        if wrong is not None:
            raise wrong
        pipeline = Pipeline(
            name=types.schema["title"],
            version=hash_of(_canonical(self.document))[:12],
            tools=tools,
            steps=steps,
            description=head.get("description", ""),
            parameters_schema=types.schema,
            concurrency=head.get("concurrency"),
        )
        return Loaded(
            pipeline=pipeline,
            parameters=values,
            secrets=secrets,
            priority=head.get("priority", 0),
            fail_fast=head.get("fail_fast", False),
            warnings=tuple(map(str, self.problems.warnings)),
        )

    def _templates(self, values: Mapping[str, Any]) -> Templates:
        given = self.place.variables
        variables = os.environ if given is None else given
        return Templates(values, self.problems, variables, are_secrets=given is not None)

    def _check_secrets(self, templates: Templates) -> None:
        """One that nothing uses was meant for something."""
        for name in self.place.variables or ():
            if name not in templates.used:
                hint = f'A step takes it by env: {{{name}: "${{env.{name}}}"}}.'
                self.problems.add(("env",), f"nothing uses the secret {name!r}.", hint)

    def _tell_beside_others(self, wrong: InvalidParameters) -> None:
        """Alone it is raised as what it is."""
        if self.problems.found:
            self.problems.found += problems_of(wrong, self.shown)

    @functools.cached_property
    def _name(self) -> str:
        written = self.document.get("name")
        if isinstance(written, str) and written.strip():
            return written
        if "name" in self.document and isinstance(written, str):
            self.problems.add(("name",), "a pipeline needs a name that is not empty.")
        stem = self.place.file.stem
        return self.folder.resolve().name or stem if stem == "treadle" else stem

    def _types(self) -> ParameterTypes:
        written = self.document.get(ROOT)
        return read_types(written if isinstance(written, dict) else {}, self._name, self.problems)

    def _filled(self, templates: Templates) -> dict[str, Any]:
        """What stands around the steps, its templates replaced."""
        found = {}
        for key, value in self.document.items():
            if key not in fields(PipelineDefinition) or key in _LITERAL:
                found[key] = value
            else:
                found[key] = templates.fill(value, (key,))
        return {key: value for key, value in found.items() if key != "steps"}

    def _steps(self, templates: Templates) -> Iterator[tuple[str, Any]]:
        """Each step with its templates replaced; those it completes itself are left."""
        steps = self.document.get("steps")
        if not isinstance(steps, dict) or not steps:
            hint = "Write each step under its name, such as train: {script: train.py}."
            what = "steps: expected at least one." if "steps" in self.document else "no `steps`."
            self.problems.add(("steps",), what, hint)
            return
        for name, step in steps.items():
            if isinstance(step, dict):
                yield name, {key: self._part(templates, name, key, step[key]) for key in step}
            else:
                yield name, step

    def _part(self, templates: Templates, name: str, key: str, value: Any) -> Any:
        if key in ("description", "env", "env_file"):  # for people; filled where they are read
            return value
        if key == "command" and isinstance(value, str):
            try:
                value = words_of(value)
            except InvalidDefinition as error:
                self.problems.add_error(("steps", name, key), error)
                return ["?"]
        return templates.fill(value, ("steps", name, key), late=key in LATE_KEYS)


def _canonical(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document, order="sorted").decode()
