"""`treadle validate`, `schema` and `export`: pipeline files, checked and written."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from treadle.cli import printing
from treadle.cli.options import Json, Param, Target
from treadle.cli.run import find_target, given_pairs
from treadle.cli.where import WhereToRun
from treadle.errors import Conflict, InvalidDefinition, InvalidRequest, Unavailable
from treadle.model.records import Submission

if TYPE_CHECKING:
    from treadle.formats.problems import Problem

FORMS = ("yaml", "json", "python")
Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE[:PIPELINE]...",
        help="Pipeline files (YAML, JSON), or Python files with a pipeline in them.",
        show_default="treadle.yaml",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found in one file."""

    file: str
    steps: int = 0
    problems: tuple["Problem", ...] = ()
    warnings: tuple["Problem", ...] = ()


def validate(
    where: WhereToRun,
    targets: Targets = None,
    param: Param = None,
    as_json: Json = False,
) -> None:
    """Say all that is wrong with pipeline files. Nothing of them runs."""
    texts = given_pairs(param or [], "-p")
    verdicts = []
    for target in targets or ["."]:
        path, pipeline = find_target(target)
        if _is_document(path) and pipeline is None:
            verdicts.append(_of_document(path, texts))
        else:
            verdicts.append(_of_python(path, pipeline, texts, where))
    if as_json:
        printing.say_json({"files": [_told(verdict) for verdict in verdicts]})
    else:
        for verdict in verdicts:
            _say(verdict)
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(printing.MISTAKE)


def _is_document(path: Path) -> bool:
    from treadle.client.loading import is_document  # noqa: PLC0415 - msgspec; help needs none of it

    return is_document(path)


def _of_document(path: Path, texts: Mapping[str, str]) -> Verdict:
    from treadle.formats import native  # noqa: PLC0415 - yaml: only for such files

    checked = native.check(native.Place(file=Path(os.path.abspath(path))), texts)
    loaded = checked.loaded
    return Verdict(
        file=str(path),
        steps=len(loaded.pipeline.steps) if loaded else 0,
        problems=checked.problems,
        warnings=checked.warnings,
    )


def _of_python(
    path: Path, pipeline: str | None, texts: Mapping[str, str], where: WhereToRun
) -> Verdict:
    from treadle.formats.native import problems_of  # noqa: PLC0415 - as above

    try:
        submission = _load(path, pipeline, texts, where)
    except InvalidDefinition as error:
        return Verdict(file=str(path), problems=problems_of(error, error.where or str(path)))
    return Verdict(file=str(path), steps=len(submission.pipeline.steps))


def _load(
    path: Path, pipeline: str | None, texts: Mapping[str, str], where: WhereToRun
) -> Submission:
    with where.opened(start=True) as door:
        return door.load_file(path, pipeline, text_parameters=dict(texts))


def _say(verdict: Verdict) -> None:
    for kind, found in (("error", verdict.problems), ("warning", verdict.warnings)):
        for problem in found:
            printing.say(f"{_place(verdict, problem)}: {kind}: {problem.sentence}")
    if not verdict.problems:
        count = "1 step" if verdict.steps == 1 else f"{verdict.steps} steps"
        printing.say(f"{verdict.file}: ok, {count}")


def _place(verdict: Verdict, problem: "Problem") -> str:
    """Where the problem is, the file named as it was asked for."""
    is_own = Path(problem.file).name == Path(verdict.file).name
    file = verdict.file if is_own else problem.file
    return f"{file}:{problem.line}:{problem.column}" if problem.line else file


def _told(verdict: Verdict) -> dict[str, Any]:
    def listed(found: tuple["Problem", ...]) -> list[dict[str, Any]]:
        keys = ("file", "line", "column", "key", "message", "hint")
        return [{key: getattr(problem, key) for key in keys} for problem in found]

    return {
        "file": verdict.file,
        "valid": not verdict.problems,
        "steps": verdict.steps,
        "problems": listed(verdict.problems),
        "warnings": listed(verdict.warnings),
    }


Into = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Where to; default: standard output."),
]


def schema(
    http: Annotated[
        bool, typer.Option("--http", help="The OpenAPI document of the HTTP API instead.")
    ] = False,
    file: Into = None,
) -> None:
    """Print the JSON Schema of pipeline files, for editors and other programs."""
    if http:
        from treadle.api.http.openapi import document  # noqa: PLC0415 - all of the API

        return _put(json.dumps(document(), indent=2) + "\n", file)
    from treadle.formats.schema import schema_text  # noqa: PLC0415 - msgspec

    return _put(schema_text(), file)


def export(
    where: WhereToRun,
    target: Target = ".",
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="yaml|json|python",
            help="The form wanted.",
            show_default="as -o ends",
        ),
    ] = None,
    file: Into = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a JSON or Python file that exists.")
    ] = False,
    param: Param = None,
) -> None:
    """Write a pipeline in another form: YAML, JSON or Python.

    YAML that exists is changed in place: comments, order and anchors that still apply stay.
    Of a Python file come the steps that it has with these parameters.
    """
    from treadle.formats import conversion  # noqa: PLC0415 - yaml; help needs none of it

    form: Any = _form(to, file)
    path, pipeline = find_target(target)
    texts = given_pairs(param or [], "-p")
    if _is_document(path):
        if pipeline or texts:
            raise InvalidRequest("A pipeline file is written as it stands, without parameters.")
        made = conversion.of_file(Path(os.path.abspath(path)), form)
    else:
        made = _of_submission(path, pipeline, texts, form, where)
    if file is not None and file.exists():
        if form != "yaml" and not force:
            raise Conflict(f"{file} exists.", hint="Add --force to overwrite it.")
        made = conversion.into_file(made, file, form)
    _put(made, file)


def _form(to: str | None, file: Path | None) -> str:
    from treadle.formats.conversion import FORMS as BY_SUFFIX  # noqa: PLC0415 - as above

    form = to or (BY_SUFFIX.get(file.suffix.lower()) if file else None)
    if form not in FORMS:
        given = f"{to!r} is none of the forms." if to else "Which form is wanted?"
        raise InvalidRequest(given, hint="Say --to yaml, --to json or --to python.")
    return form


def _of_submission(
    path: Path, pipeline: str | None, texts: Mapping[str, str], form: Any, where: WhereToRun
) -> str:
    from treadle.formats.conversion import of_document  # noqa: PLC0415 - as above
    from treadle.formats.exported import exported  # noqa: PLC0415

    if form == "python":
        raise InvalidRequest(f"{path} is Python already.", hint="Say --to yaml or --to json.")
    loaded = _load(path, pipeline, texts, where)
    made = exported(
        loaded.pipeline, loaded.parameters, priority=loaded.priority, fail_fast=loaded.fail_fast
    )
    for note in made.notes:
        printing.tell(note)
    return of_document(made.document, form)


def _put(text: str, file: Path | None) -> None:
    """Whole or not at all: what was there stays until the new text is written."""
    if file is None or str(file) == "-":
        printing.say(text.rstrip("\n"))
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        if file.exists():
            beside.chmod(file.stat().st_mode & 0o777)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise Unavailable(f"{file} cannot be written: {error.strerror}.") from error
