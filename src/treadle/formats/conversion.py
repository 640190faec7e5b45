"""Pipeline files from one form into another: YAML, JSON, Python."""

from pathlib import Path
from typing import Any, Literal

from treadle.errors import InvalidRequest
from treadle.formats import native, writing
from treadle.formats.problems import error_of
from treadle.formats.reading import parse_file, parse_text, read

Form = Literal["yaml", "json", "python"]
FORMS: dict[str, Form] = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".py": "python"}


def of_file(file: Path, form: Form) -> str:
    """A pipeline file in another form; in its own, it is as it was.

    Raises InvalidDefinition for a file that is not right, and for what the form cannot say.
    """
    checked = native.check(native.Place(file=file))
    if checked.loaded is None:
        raise error_of(list(checked.problems))
    if FORMS[file.suffix.lower()] == form:
        return read(file)
    document = parse_file(file).value
    if form != "python":
        return of_document(document, form)
    from treadle.formats.python_source import python_source  # noqa: PLC0415 - only where asked for

    return python_source(document, checked.loaded.pipeline, file.parent)


def of_document(document: Any, form: Form, comment: str = "") -> str:
    """Raises InvalidRequest for Python."""
    if form == "python":
        raise InvalidRequest("It is Python already.", hint="Choose --to yaml or --to json.")
    return writing.to_yaml(document, comment) if form == "yaml" else writing.to_json(document)


def into_file(made: str, target: Path, form: Form) -> str:
    """What to write where a file is already: YAML keeps its comments.

    Raises InvalidDefinition if the file that is there is no YAML.
    """
    if form != "yaml":
        return made
    return writing.rewrite(read(target), parse_text(made, str(target)).value)
