"""One step of a pipeline file: what it runs, takes and makes. Checked on its own here."""

import keyword
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import msgspec
from msgspec import UNSET

from treadle.errors import InvalidDefinition
from treadle.formats.definition import EXECUTION, WHAT_RUNS, StepDefinition
from treadle.formats.functions import FoundFunction
from treadle.formats.problems import Path, Problems
from treadle.formats.project import Located, Project
from treadle.formats.references import Outputs
from treadle.formats.templates import as_text, late_names
from treadle.model.bindings import DEFAULT_OUTPUT
from treadle.model.graph import nearest
from treadle.model.inside import is_inside
from treadle.model.refs import INLINE_LIMIT_BYTES

STEP_NAME = re.compile(r"\w[\w/ -]*")
_SHELL = frozenset({"|", "||", "&&", ";", "&", ">", ">>", "<", "2>", "2>&1"})


@dataclass(slots=True, kw_only=True)
class Draft:
    """A step that makes sense by itself.

    source: a hash of its script or function. defaults: what @tool says. args: texts with the
    step's own templates. files: output -> file name, where it is said. absent: why its function
    may not be there; near: what may have been meant.
    """

    name: str
    path: Path
    definition: StepDefinition
    entry: str
    tool_name: str
    source: str = ""
    args: tuple[str, ...] = ()
    outputs: Outputs = field(default_factory=Outputs)
    files: Mapping[str, str] = field(default_factory=dict)
    function: FoundFunction | None = None
    absent: str = ""
    near: str = ""

    @property
    def is_function(self) -> bool:
        return self.definition.function is not UNSET

    @property
    def defaults(self) -> Mapping[str, Any]:
        return self.function.options if self.function is not None else {}

    @property
    def inputs(self) -> Mapping[str, Any]:
        return self.definition.inputs or {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.definition.parameters or {}

    @property
    def execution_options(self) -> dict[str, Any]:
        """What the file asks for, over what @tool says."""
        found = {key: self.defaults[key] for key in EXECUTION if key in self.defaults}
        for key in EXECUTION:
            value = getattr(self.definition, key)
            if value is not UNSET:
                found[key] = value
        return found


class StepReader:
    """Reads steps one by one, and tells what is wrong with each."""

    def __init__(self, project: Project, problems: Problems) -> None:
        self._project, self._problems = project, problems

    def draft(self, name: str, definition: StepDefinition, path: Path) -> Draft | None:
        """None, with the problem told, if nothing can be made of it."""
        if not STEP_NAME.fullmatch(name):
            hint = "Use letters, digits, _ and -; a dot stands before an output."
            self._problems.add(path, f"a step cannot be called {name!r}.", hint, at_key=True)
        given = [key for key in WHAT_RUNS if getattr(definition, key) is not UNSET]
        if len(given) != 1:
            which = f"has {' and '.join(given)}" if given else "says nothing to run"
            hint = "Give exactly one of script, function and command."
            self._problems.add(path, f"step {name!r} {which}.", hint, at_key=True)
            return None
        self._check_names(definition, path)
        try:
            draft = self._read(name, definition, path)
        except InvalidDefinition as error:
            self._problems.add_error((*path, given[0]), error)
            return None
        self._check_sizes(draft)
        self._check_own_templates(draft)
        return draft

    def _read(self, name: str, definition: StepDefinition, path: Path) -> Draft:
        if isinstance(definition.function, str):
            return self._function(name, definition, path, definition.function)
        outputs, files = self._outputs(definition, path)
        args = tuple(map(as_text, definition.args or ()))
        if isinstance(definition.script, str):
            script = str(PurePosixPath(definition.script))
            return Draft(
                name=name,
                path=path,
                definition=definition,
                entry=script,
                tool_name=PurePosixPath(script).stem,
                source=self._project.script(definition.script),
                args=args,
                outputs=outputs,
                files=files,
            )
        assert isinstance(definition.command, list)
        if args:
            self._problems.add((*path, "args"), "args go with script.", "Add them to `command`.")
        words = tuple(map(as_text, definition.command))
        if not words or not words[0]:
            raise InvalidDefinition("command: expected a program.")
        return Draft(
            name=name,
            path=path,
            definition=definition,
            entry="",
            tool_name=PurePosixPath(words[0]).stem or "command",
            args=words,
            outputs=outputs,
            files=files,
        )

    def _function(self, name: str, definition: StepDefinition, path: Path, entry: str) -> Draft:
        located = self._project.function(entry)
        function = located.function
        if definition.args is not UNSET:
            hint = "A function gets its `parameters` by name."
            self._problems.add((*path, "args"), "args go with script.", hint)
        if isinstance(definition.outputs, dict):
            hint = "Give a list: outputs: [a, b]."
            message = "file names of outputs go with script and command."
            self._problems.add((*path, "outputs"), message, hint)
        draft = Draft(
            name=name,
            path=path,
            definition=definition,
            entry=entry,
            tool_name=function.name if function else entry.rpartition(":")[2].rpartition(".")[2],
            source=located.source,
            outputs=self._function_outputs(definition, located, path),
            function=function,
            absent=located.warning,
            near=located.hint,
        )
        self._check_arguments(draft)
        return draft

    def _function_outputs(
        self, definition: StepDefinition, located: Located, path: Path
    ) -> Outputs:
        if isinstance(definition.outputs, list):
            return self._outputs(definition, path)[0]
        function = located.function
        said = function.options.get("outputs", DEFAULT_OUTPUT) if function else DEFAULT_OUTPUT
        names = (said,) if isinstance(said, str) else tuple(said)
        self._warn_of_unread(function, definition, path)
        return Outputs(dict.fromkeys(names))

    def _warn_of_unread(
        self, function: FoundFunction | None, definition: StepDefinition, path: Path
    ) -> None:
        for option in function.unread if function else ():
            if getattr(definition, option, UNSET) is UNSET:
                assert function is not None
                self._problems.warn(
                    (*path, "function"),
                    f"{option}= of @tool ({function.where}) is no literal, and is not used.",
                    f"Say `{option}:` in this step." if hasattr(definition, option) else "",
                )

    def _outputs(self, definition: StepDefinition, path: Path) -> tuple[Outputs, Mapping[str, str]]:
        """(outputs, files by output) as they are written."""
        written = definition.outputs
        if written is UNSET:
            return Outputs(is_open=True), {}
        path = (*path, "outputs")
        files = written if isinstance(written, dict) else {}
        seen: dict[str, None] = {}
        for index, name in enumerate(written):
            where: Path = (*path, name) if files else (*path, index)
            if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
                hint = "Use letters, digits and _; no digit or _ first, and no word of Python's."
                self._problems.add(where, f"an output cannot be called {name!r}.", hint)
            elif name in seen:
                self._problems.add(where, f"the output {name!r} is named twice.")
            seen[name] = None
        self._check_files(files, path)
        return Outputs(seen), files

    def _check_files(self, files: Mapping[str, str], path: Path) -> None:
        taken: dict[PurePosixPath, str] = {}
        for name, file in files.items():
            pure = PurePosixPath(file)
            if not is_inside(file):
                hint = "It is written into the step's own folder: give a name such as model.pkl."
                self._problems.add((*path, name), f"{file!r} is no name for an output.", hint)
            for other, its in taken.items():
                if pure == other or pure in other.parents or other in pure.parents:
                    message = f"outputs {its!r} and {name!r} are written into one file, {file!r}."
                    self._problems.add((*path, name), message, "Give each its own.")
            taken[pure] = name

    def _check_names(self, definition: StepDefinition, path: Path) -> None:
        inputs: Mapping[str, Any] = definition.inputs or {}
        parameters: Mapping[str, Any] = definition.parameters or {}
        for key, names in (("inputs", inputs), ("parameters", parameters)):
            for name in names:
                if not name.isidentifier():
                    where = (*path, key, name)
                    message = f"none of the {key} can be called {name!r}."
                    self._problems.add(where, message, _NAME_HINT, at_key=True)
        for shared in inputs.keys() & parameters.keys() if definition.function else ():
            message = f"{shared!r} is an input and a parameter."
            self._problems.add((*path, "parameters", shared), message, "Keep one.", at_key=True)

    def _check_arguments(self, draft: Draft) -> None:
        """Whether the function takes what it is given, and gets what it needs."""
        function = draft.function
        if function is None or function.takes is None:
            return
        takes = f"{draft.entry} ({function.where})"
        for key, names in (("inputs", draft.inputs), ("parameters", draft.parameters)):
            for name in names:
                if name not in function.takes and not function.takes_any:
                    hint = nearest(name, function.takes)
                    hint = hint or f"It takes: {', '.join(function.takes) or 'nothing'}."
                    where = (*draft.path, key, name)
                    self._problems.add(where, f"{takes} takes no {name!r}.", hint, at_key=True)
        missing = [n for n in function.required if n not in {*draft.inputs, *draft.parameters}]
        if missing:
            listed = " and ".join(map(repr, missing))
            hint = "Add it under `inputs` or `parameters`."
            self._problems.add((*draft.path, "function"), f"{takes} needs {listed}.", hint)

    def _check_sizes(self, draft: Draft) -> None:
        if len(msgspec.json.encode(draft.parameters)) > INLINE_LIMIT_BYTES:
            hint = "Put it into a file, and give its name."
            message = f"the parameters of step {draft.name!r} are over 64 KiB."
            self._problems.add((*draft.path, "parameters"), message, hint)

    def _check_own_templates(self, draft: Draft) -> None:
        """`${inputs.x}`, `${outputs.x}`, `${parameters.x}` name what the step has."""
        known = {"inputs": draft.inputs, "parameters": draft.parameters}
        for path, text in self._own_texts(draft):
            for kind, name in late_names(text):
                if kind == "outputs":
                    if draft.outputs.has(name) or draft.is_function:
                        continue
                    names: Any = draft.outputs.names
                else:
                    names = known[kind]
                if name not in names:
                    hint = nearest(name, names) or f"It has: {', '.join(names) or 'none'}."
                    message = f"step {draft.name!r} has no {kind[:-1]} {name!r}."
                    self._problems.add(path, message, hint)

    def _own_texts(self, draft: Draft) -> Iterator[tuple[Path, str]]:
        key = "args" if draft.entry else "command"
        for index, text in enumerate(draft.args):
            yield (*draft.path, key, index), text
        for name, value in (draft.definition.env or {}).items():
            if isinstance(value, str):
                yield (*draft.path, "env", name), value


_NAME_HINT = "Use letters, digits and _, no digit first."


def words_of(command: str) -> list[str]:
    """The words of a command written as text.

    Raises InvalidDefinition for what only a shell would understand.
    """
    hint = f"Have a shell read it: command: [bash, -c, {shlex.quote(command.strip())}]."
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InvalidDefinition(f"command: {str(error).lower()}.") from None
    if _SHELL & set(words) or "\n" in command.strip():
        raise InvalidDefinition("command: no shell reads it.", hint=hint)
    return words
