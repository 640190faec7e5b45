"""`treadle graph`, and `treadle show --graph`: pictures of pipelines and runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from treadle.cli import printing
from treadle.cli.door import Snapshot
from treadle.cli.options import Json, Param, Target
from treadle.cli.run import find_target, given_pairs
from treadle.cli.where import WhereToRun
from treadle.errors import InvalidRequest, Unavailable
from treadle.model.pictures import dot, mermaid, svg, text
from treadle.model.pictures.picture import Picture, folded, of_jobs, of_pipeline
from treadle.model.records import Pipeline

if TYPE_CHECKING:
    from treadle.formats.native import Loaded

MOST_LINES = 120  #: of a picture in characters, of a mermaid flowchart; beyond, steps are folded
WRITERS: dict[str, Callable[[Picture], str]] = {
    "mermaid": mermaid.flowchart,
    "dot": dot.digraph,
    "svg": svg.svg,
}
SUFFIXES = {
    ".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid",
    ".md": "mermaid", ".txt": "text",
}  # fmt: skip

AsText = Annotated[bool, typer.Option("--text", help="Draw it in characters (the default).")]
AsMermaid = Annotated[bool, typer.Option("--mermaid", help="A mermaid flowchart.")]
AsDot = Annotated[bool, typer.Option("--dot", help="Graphviz's language.")]
AsSvg = Annotated[bool, typer.Option("--svg", help="A stand-alone SVG.")]
To = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to; its ending says the form (.svg, .dot, .mmd, .md, .txt).",
    ),
]
Every = Annotated[
    bool, typer.Option("--all", "-a", help="Each step on its own, however many there are.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a picture is wanted. every: nothing folded."""

    name: str
    file: Path | None = None
    every: bool = False


def graph(  # noqa: PLR0913 - one for each option of the command
    where: WhereToRun,
    target: Target = ".",
    param: Param = None,
    as_text: AsText = False,
    as_mermaid: AsMermaid = False,
    as_dot: AsDot = False,
    as_svg: AsSvg = False,
    file: To = None,
    every: Every = False,
    as_json: Json = False,
) -> None:
    """Draw a pipeline: its steps, and who waits for whom. Nothing of it runs."""
    chosen = {"text": as_text, "mermaid": as_mermaid, "dot": as_dot, "svg": as_svg}
    form = form_of(chosen, file, every=every)
    path, pipeline = find_target(target)
    texts = given_pairs(param or [], "-p")
    loaded = load(path, pipeline, texts, where)
    picture = of_pipeline(loaded)
    if as_json:
        printing.say_json(told(picture))
    else:
        put(picture, form)


def load(path: Path, pipeline: str | None, texts: dict[str, str], where: WhereToRun) -> Pipeline:
    """The pipeline of a file: read here, where it is data; loaded in a slot, where it is Python."""
    from treadle.client.loading import (  # noqa: PLC0415 - msgspec, blake3; help needs none of it
        FileRequest,
        is_document,
        read_document,
    )

    if is_document(path):
        request = FileRequest(path=path, pipeline=pipeline, text_parameters=texts)
        document: Loaded = read_document(request)
        return document.pipeline
    with where.opened(start=True) as door:
        return door.load_file(path, pipeline, text_parameters=texts).pipeline


def form_of(chosen: dict[str, bool], file: Path | None, *, every: bool) -> Form:
    """The one form that was asked for. Raises InvalidRequest."""
    asked = [name for name, is_asked in chosen.items() if is_asked]
    if len(asked) > 1:
        raise InvalidRequest(f"--{asked[0]} and --{asked[1]}: only one form at a time.")
    implied = SUFFIXES.get(file.suffix.lower(), "") if file else "text"
    if not asked and not implied:
        forms = ", ".join(SUFFIXES)
        raise InvalidRequest(
            f"{file}: the ending {file.suffix if file else ''!r} says no form.",
            hint=f"Use one of {forms}, or add --svg, --dot, --mermaid or --text.",
        )
    return Form(name=asked[0] if asked else implied, file=file, every=every)


def put(picture: Picture, form: Form) -> None:
    """Write the picture to where it is wanted."""
    if form.file is None or str(form.file) == "-":
        _print(picture, form)
        return
    drawn = written(picture, form)
    try:
        form.file.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{form.file} cannot be written: {error.strerror}.") from error
    printing.tell(f"wrote {form.file}")


def _print(picture: Picture, form: Form) -> None:
    if form.name != "text":
        printing.say(written(picture, form).rstrip("\n"))
        return
    console = printing.console()
    paper = text.Paper(width=min(console.width, 200), ascii=ascii_only(console.encoding))
    for spans in text.rows(_folded(picture, form), paper):
        console.print(Text.assemble(*spans), soft_wrap=True)


def ascii_only(encoding: str) -> bool:
    """The terminal shows nothing but ASCII."""
    return not encoding.lower().startswith("utf")


def written(picture: Picture, form: Form) -> str:
    """The text of a file."""
    drawn = _folded(picture, form)
    if form.name == "text":
        rows = text.rows(drawn, text.Paper(width=200))
        return "".join("".join(part for part, _ in spans) + "\n" for spans in rows)
    body = WRITERS[form.name](drawn)
    is_markdown = form.file is not None and form.file.suffix.lower() == ".md"
    return f"```mermaid\n{body}```\n" if is_markdown else body


def _folded(picture: Picture, form: Form) -> Picture:
    if form.every:
        return picture
    return folded(picture) if form.name in ("svg", "dot") else folded(picture, MOST_LINES)


def told(picture: Picture) -> dict[str, Any]:
    """The picture as data: each step with what it waits for."""
    steps = [
        {
            "name": node.key,
            "tool": node.tool,
            "kind": node.kind,
            "parents": node.parents,
        }
        for node in picture.nodes
    ]
    return {"pipeline": picture.title, "steps": steps}


def of_run(snapshot: Snapshot) -> Picture:
    """A run, coloured by state."""
    run = snapshot.run
    took = printing.span(run.created_at, run.ended_at)
    subtitle = f"{run.id} · {run.state} in {took}"
    if parameters := printing.pairs(run.parameters):
        subtitle += f" · {parameters}"
    return of_jobs(
        snapshot.jobs,
        snapshot.edges,
        title=run.pipeline,
        subtitle=subtitle,
        kinds=snapshot.kinds,
    )
