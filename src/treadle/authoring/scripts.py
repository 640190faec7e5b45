"""treadle.script and treadle.command: programs as steps of a pipeline written in Python."""

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Unpack

from treadle.authoring import context, places
from treadle.authoring.placement import UNPLACED, Placeable
from treadle.authoring.surroundings import Surroundings, surroundings
from treadle.errors import InvalidDefinition
from treadle.model.bindings import DEFAULT_OUTPUT
from treadle.model.inside import is_inside
from treadle.model.options import CommandOptions, ScriptOptions, execution_from
from treadle.model.records import Execution


class ScriptTool(Placeable):
    """A program that can be a step. Call it in a pipeline, with inputs and parameters by name.

    Results of steps become its inputs, other values (plain JSON data) its parameters.
    """

    script: str  #: its path beside the file that names it; "" for a command
    args: tuple[str, ...]  #: for a command, the program first
    outputs: tuple[str, ...]
    output_files: Mapping[str, str]  #: output -> name of the file to write, where it has one
    file: Path  #: that names it
    surroundings: Surroundings

    def __init__(
        self, script: str, file: str, where: str, **options: Unpack[ScriptOptions]
    ) -> None:
        asked: dict[str, Any] = dict(options)
        self.script, self.file, self.where = script, Path(file).absolute(), where
        self.args = _args(asked.pop("args", ()), where)
        self.name = asked.pop("name", "") or _name(script or self.args[0])
        owner = f"script {self.name!r}"
        self.outputs, self.output_files = _outputs(asked.pop("outputs", ()), owner, where)
        self.surroundings = surroundings(owner, asked, file, where)
        self.execution = execution_from(Execution(), asked, owner=owner, where=where)
        self.placement, self.original = UNPLACED, self

    def __call__(self, **given: Any) -> Any:
        tracer = context.current.get()
        if tracer is None:
            raise InvalidDefinition(
                f"the script {self.name!r} is called outside a pipeline.",
                where=places.of_call(),
                hint="Call it in a function under @treadle.pipeline, and run that.",
            )
        return tracer.call_script(self, given)

    @property
    def source(self) -> str:
        """The script itself; "" for a command."""
        return (self.file.parent / self.script).read_bytes().hex() if self.script else ""

    @property
    def results(self) -> tuple[str, ...]:
        """The outputs that a call returns; the one of a script that names none is "result"."""
        return self.outputs or (DEFAULT_OUTPUT,)

    def __repr__(self) -> str:
        return f"<script {self.name!r} ({self.where})>"


def script(path: str, /, **options: Unpack[ScriptOptions]) -> ScriptTool:
    """A script as a tool: Python (.py), bash (.sh), or any file that may be executed.

    path: relative to the file of this call. args: texts, in which `${inputs.NAME}` and
    `${outputs.NAME}` stand for files, `${parameters.NAME}` for values. outputs: names, or name ->
    file name. name, env, environment, and resources as for @tool. Called in a pipeline, it takes
    results of steps as inputs and other values as parameters: `load(rows=3, table=table)`.
    Raises InvalidDefinition where there is no such file.
    """
    file, where = _caller(), places.of_call()
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts:
        raise InvalidDefinition(
            f"script({path!r}): expected a path below the folder of {Path(file).name}.", where=where
        )
    if not (Path(file).parent / path).is_file():
        raise _absent(path, file, where)
    return ScriptTool(str(pure), file, where, **options)


def not_along(tool: ScriptTool) -> InvalidDefinition:
    """The script is here, but would not be where it runs."""
    return _absent(tool.script, str(tool.file), tool.where, "does not go along with")


def _absent(path: str, file: str, where: str, why: str = "is not beside") -> InvalidDefinition:
    return InvalidDefinition(
        f"script({path!r}): the file {why} {Path(file).name}.",
        where=where,
        hint=""
        if path.endswith(".py")
        else "Without a project, only files that are named as they stand go along: put a "
        "treadle.toml into the project's folder, and all of it does.",
    )


def command(*args: str, **options: Unpack[CommandOptions]) -> ScriptTool:
    """A program found on the PATH as a tool: `treadle.command("wc", "-l", "${inputs.table}")`.

    Options as for treadle.script.
    """
    where = places.of_call()
    if not args:
        raise InvalidDefinition("command() without a program to run.", where=where)
    return ScriptTool("", _caller(), where, args=args, **options)


def _caller() -> str:
    """The file of the nearest caller outside this module."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return "" if frame is None else frame.f_code.co_filename


def _name(path: str) -> str:
    return PurePosixPath(path).stem


def _args(args: Any, where: str) -> tuple[str, ...]:
    found = (args,) if isinstance(args, str) else tuple(args)
    if not all(isinstance(each, str) for each in found):
        raise InvalidDefinition(f"args={found!r}: expected texts.", where=where)
    return found


def _outputs(
    outputs: Iterable[str] | Mapping[str, str], owner: str, where: str
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    files = dict(outputs) if isinstance(outputs, Mapping) else {}
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    if len(set(names)) < len(names) or not all(name.isidentifier() for name in names):
        raise InvalidDefinition(
            f"{owner}: outputs={names!r}: expected different Python names", where=where
        )
    if outside := [file for file in files.values() if not is_inside(file)]:
        raise InvalidDefinition(
            f"{owner}: {outside[0]!r} is no name for an output.",
            hint="It is written into the step's own folder: give a name such as model.pkl.",
            where=where,
        )
    if len(set(files.values())) < len(files):
        raise InvalidDefinition(f"{owner}: two outputs are one file.", where=where)
    return names, files
