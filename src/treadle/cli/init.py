"""`treadle init`: a small project that runs as it stands."""

import json
import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from treadle.cli import printing
from treadle.cli.options import Json
from treadle.errors import Conflict, InvalidRequest, Unavailable
from treadle.model.graph import nearest

TEMPLATES = {
    "scripts": "Python and bash scripts, in a pipeline file",
    "functions": "Python functions, in a pipeline file",
}
PLACEHOLDER = "my-project"  #: stands for the project's name
RENAMED = {"gitignore": ".gitignore"}  #: a real one would hide files of ours
SCHEMA = "treadle.schema.json"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; made if it is not there.")
    ] = Path(),
    template: Annotated[
        str, typer.Option(metavar="NAME", help=f"What it is made of: {', '.join(TEMPLATES)}.")
    ] = "scripts",
    as_json: Json = False,
) -> None:
    """Make a small project that runs as it stands. Nothing that is there is overwritten."""
    if template not in TEMPLATES:
        hint = nearest(template, TEMPLATES) or f"There are {', '.join(TEMPLATES)}."
        raise InvalidRequest(f"There is no template {template!r}.", hint=hint)
    files = dict(_files(template, name_for(folder)))
    _refuse_to_overwrite(folder, files)
    _write(folder, files)
    if as_json:
        written = [str(folder / name) for name in files]
        printing.say_json({"folder": str(folder), "template": template, "files": written})
    else:
        _tell(folder, list(files))


def name_for(folder: Path) -> str:
    """A pipeline's name, of the folder's."""
    name = re.sub(r"[^\w.-]+", "-", folder.absolute().resolve().name).strip("-.")
    return name or PLACEHOLDER


def _files(template: str, name: str) -> Iterator[tuple[str, tuple[str, int]]]:
    """(path, (text, mode)) of each file."""
    top = resources.files("treadle") / "templates"
    shared = [each for each in top.iterdir() if each.is_file()]
    own = [each for each in (top / template).iterdir() if each.is_file()]
    for each in sorted([*own, *shared], key=lambda each: each.name):
        text = each.read_text(encoding="utf-8")
        mode = 0o755 if text.startswith("#!") else 0o644
        yield RENAMED.get(each.name, each.name), (_named(each, text, name), mode)
    yield SCHEMA, (_schema(), 0o644)


def _named(file: Traversable, text: str, name: str) -> str:
    if file.name == "treadle.yaml":
        plain = re.fullmatch(r"[A-Za-z][\w-]*", name) and name not in ("true", "false", "null")
        return text.replace(PLACEHOLDER, name if plain else json.dumps(name, ensure_ascii=False))
    return text.replace(PLACEHOLDER, name) if file.name == "README.md" else text


def _schema() -> str:
    from treadle.formats.schema import schema_text  # noqa: PLC0415 - msgspec: only here

    return schema_text()


def _refuse_to_overwrite(folder: Path, files: dict[str, tuple[str, int]]) -> None:
    if folder.exists() and not folder.is_dir():
        raise Conflict(f"{folder} is a file, not a folder.")
    taken = [name for name in files if (folder / name).exists() or (folder / name).is_symlink()]
    if taken:
        raise Conflict(
            f"{_are_there(taken)} in {folder.absolute()} already.",
            hint="Nothing was written. Choose another folder: treadle init DIR",
        )


def _are_there(names: list[str]) -> str:
    if len(names) == 1:
        return f"There is {names[0]}"
    return f"There are {', '.join(names[:-1])} and {names[-1]}"


def _write(folder: Path, files: dict[str, tuple[str, int]]) -> None:
    """Raises Unavailable if it cannot; a file that has come to be meanwhile is left alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (text, mode) in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
            (folder / name).chmod(mode)
    except OSError as error:
        raise Unavailable(f"Cannot write {error.filename or folder}: {error.strerror}.") from None


def _tell(folder: Path, names: list[str]) -> None:
    here = folder.absolute().resolve() == Path.cwd()
    printing.say(f"Made {len(names)} files in {folder.absolute().resolve()}:")
    printing.say(f"  {'  '.join(names)}")
    printing.say("\nNext:")
    steps = [] if here else [(f"cd {folder}", "")]
    steps += [
        ("treadle run", "run the pipeline, and watch it"),
        ("treadle run -p noise=0.5", "with another parameter"),
        ("treadle graph", "the steps as a picture"),
    ]
    for command, does in steps:
        printing.say(f"  {command:<26}{does}".rstrip())
