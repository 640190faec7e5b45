"""Runs a script, in any language: hands it files, watches it, stores what it has made.

The user's code runs in a child only; the process that performs the order stays as clean as it
was, and may serve any script after this one.
"""

import ast
import errno
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from treadle.errors import CodecError, DamagedBlob, InvalidDefinition, TreadleError, Unavailable
from treadle.interfaces import BlobStore, Channel
from treadle.model.orders import Order, Report
from treadle.model.records import Certificate, Failure, FailureType
from treadle.model.refs import Ref
from treadle.runtime import child, programs
from treadle.runtime.code import BUILD_ERRORS
from treadle.runtime.failures import Stop, Terminated, failure_of, hint_for_module, storing_failure
from treadle.runtime.forked import python
from treadle.runtime.function import store_at
from treadle.runtime.handover import Handover
from treadle.runtime.notes import notes_at
from treadle.runtime.programs import Program
from treadle.runtime.snapshots import materialise
from treadle.runtime.usage import Usage

_WRITE_ELSEWHERE = (
    "The folder of the code is read-only while it runs: write results with treadle.output or into "
    "$TREADLE_OUTPUTS_DIR, and all else into treadle.scratch_dir() or $TREADLE_SCRATCH_DIR."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the code lies and the script works. script: None for a command.

    is_bare: there is no code, and the folder is an empty one of its own.
    """

    code: str
    folder: str
    script: Path | None
    is_bare: bool = False

    @property
    def name(self) -> str:
        return "The command" if self.script is None else self.script.name


class ScriptRuntime:
    """Performs orders of kind `script`; keeps nothing from one to the next."""

    def perform(self, order: Order, channel: Channel) -> Report:
        before = Usage.now()
        try:
            report = _performed(order, channel)
        except Stop as stop:
            report = Report(outcome="failed", failure=stop.failure)
        except Terminated:
            report = Report(outcome="aborted")
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the process
            report = Report(outcome="failed", failure=failure_of(error, FailureType.INTERNAL))
        cpu_seconds, _ = Usage.now().since(before)
        return replace(report, cpu_seconds=cpu_seconds)


def _performed(order: Order, channel: Channel) -> Report:
    """Raises Stop for what could not even begin."""
    blobs = store_at(order.blobs, order.fsync)
    try:
        handover = Handover(order, blobs)
        place = _place(order, blobs, handover)
        handover.make()
        if place.is_bare:
            os.mkdir(place.folder)
        variables = handover.variables
        program = _program(order, place, handover, variables)
    except TreadleError as error:
        raise Stop(_preparing_failure(error)) from None
    except OSError as error:
        raise Stop(_preparing_failure(_not_prepared(order, error))) from None
    channel.started()
    with notes_at(str(handover.notes), channel) as notes:
        try:
            end = child.perform(_becoming(program, handover, variables), place.folder, notes)
        except OSError as error:
            why = programs.why_not(error, program)
            raise Stop(failure_of(why, FailureType.BUILD)) from None
        notes.finish()
    return replace(_report(end, place, handover, blobs), peak_memory_bytes=end.peak_bytes)


def _report(end: child.End, place: _Place, handover: Handover, blobs: BlobStore) -> Report:
    try:
        _check_inputs(handover, blobs)
        if end.terminated:
            return Report(outcome="aborted")
        if end.exit_code != 0:
            raise Stop(_failure(end, place, handover.facts))
        return Report(outcome="completed", outputs=_outputs(handover, blobs))
    except Stop as stop:
        return Report(outcome="failed", failure=stop.failure)


def _place(order: Order, blobs: BlobStore, handover: Handover) -> _Place:
    code = order.code
    if not (code.digest or code.project_dir or code.entry):
        return _Place(code="", folder=str(handover.folder / "work"), script=None, is_bare=True)
    root = materialise(code.digest, blobs, order.blobs) if code.digest else code.project_dir
    folder = os.path.join(root or "/", code.folder)
    if not os.path.isdir(folder):
        raise InvalidDefinition(f"The folder of the code, {folder}, is not there.")
    if not code.entry:
        return _Place(code=root, folder=folder, script=None)
    script = os.path.normpath(os.path.join(folder, code.entry))
    if not script.startswith(os.path.join(os.path.normpath(root or "/"), "")):
        raise InvalidDefinition(f"The script {code.entry} lies outside the code of the run.")
    if not os.path.isfile(script):
        raise InvalidDefinition(
            f"There is no script {code.entry} in the code of the run.",
            hint="Is it ignored (.gitignore, .treadleignore), or not below the project's folder?",
        )
    return _Place(code=root, folder=folder, script=Path(script))


def _program(order: Order, place: _Place, handover: Handover, variables: dict[str, str]) -> Program:
    arguments = handover.arguments
    if place.script is None:
        program = programs.command(arguments, variables, place.folder)
    else:
        program = programs.of_script(
            place.script, arguments, order.environment, variables, handover.facts
        )
    programs.check_texts(program, variables)
    return program


def _becoming(program: Program, handover: Handover, variables: dict[str, str]) -> child.Become:
    if program.fork:
        return python(program.path, program.argv[1:], str(handover.facts), variables)
    return child.execute(program.path, program.argv, variables)


def _not_prepared(order: Order, error: OSError) -> Unavailable:
    where = error.filename or order.scratch_dir
    return Unavailable(
        f"The script cannot be given its files: {where}: {error.strerror}.",
        hint="Is there room on that disk, and may you write there?",
    )


def _preparing_failure(error: TreadleError) -> Failure:
    """What the surroundings lack is a failure of the build; a damaged input is none."""
    build = isinstance(error, BUILD_ERRORS)
    user = isinstance(error, CodecError)
    return failure_of(
        error, FailureType.BUILD if build else FailureType.USER if user else FailureType.INTERNAL
    )


# how it ended


def _failure(end: child.End, place: _Place, facts: Path) -> Failure:
    certificate = Certificate(signal=end.signal, exit_code=end.exit_code)
    noted = facts.read_text("utf-8") if facts.exists() else ""
    facts.unlink(missing_ok=True)  # its words may hold a secret
    found: dict[str, str] = ast.literal_eval(noted) if noted else {}
    if "exception" in found:
        return Failure(
            type=FailureType.USER,
            message=found["message"],
            exception=found["exception"],
            traceback=found["traceback"],
            hint=_hint_for(found, place),
            certificate=certificate,
        )
    if end.signal is not None:
        return _killed(end.signal, place, certificate)
    said = f": {found['exit']}" if "exit" in found else "."
    return Failure(
        type=FailureType.USER,
        message=f"{place.name} ended with exit code {end.exit_code}{said}",
        exception="SystemExit" if "exit" in found else "",
        hint=_hint_for_code(end.exit_code, place),
        certificate=certificate,
    )


#: Variables that a step has only if its pipeline names what they stand for.
_UNDECLARED = {
    "KeyError: 'TREADLE_OUTPUT_": "Name it under the step's `outputs`.",
    "KeyError: 'TREADLE_INPUT_": "Name it under the step's `inputs`.",
    "KeyError: 'TREADLE_PARAM_": "Name it under the step's `parameters`.",
}


def _hint_for(found: dict[str, str], place: _Place) -> str:
    if found.get("module"):
        return hint_for_module(found["module"])
    refused = found.get("errno") in (str(errno.EACCES), str(errno.EROFS), str(errno.EPERM))
    if refused and _is_in(os.path.join(place.folder, found["path"]), place.code):
        return _WRITE_ELSEWHERE
    if found.get("errno") == str(errno.ENOSPC):
        return "The disk the code writes to is full: make room, then retry."
    return next((h for begin, h in _UNDECLARED.items() if found["message"].startswith(begin)), "")


def _is_in(path: str, folder: str) -> bool:
    return os.path.normpath(path).startswith(os.path.join(os.path.normpath(folder), ""))


def _hint_for_code(code: int | None, place: _Place) -> str:
    if place.script is not None and programs.has_windows_lines(place.script):
        return "Its lines end as on Windows; bash takes the \\r for a part of each command."
    if code == 127:
        return "A program that it calls is not there; the last lines it printed name it."
    if code == 126:
        return "A program that it calls may not be executed; the last lines it printed name it."
    return ""


def _killed(number: int, place: _Place, certificate: Certificate) -> Failure:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    faults = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)
    return Failure(
        type=FailureType.CRASHED,
        message=f"{place.name} was killed by {name}.",
        hint="A fault in compiled code; the last lines it printed show where it was."
        if number in faults
        else "Somebody, or a program, sent this signal; SIGKILL may mean that memory ran out.",
        certificate=certificate,
    )


def _check_inputs(handover: Handover, blobs: BlobStore) -> None:
    """An input that was written to is no longer what another step made: forget it."""
    for path, digest in handover.inputs.written_to():
        try:
            blobs.open(digest, verify=True)
        except DamagedBlob:
            blobs.delete(digest)
            raise Stop(
                Failure(
                    type=FailureType.USER,
                    message=f"The script wrote into its input {path.name}, which is shared.",
                    hint="Run again the step that made it, and let this one write to a copy.",
                )
            ) from None


def _outputs(handover: Handover, blobs: BlobStore) -> dict[str, Ref]:
    try:
        return handover.outputs.stored(blobs)
    except InvalidDefinition as error:
        raise Stop(failure_of(error)) from None
    except TreadleError as error:
        raise Stop(storing_failure(error)) from None
