"""Writes docs/reference from the code: `python docs/generate.py`, or `make docs`.

Each page is a function that returns markdown; `PAGES` names them all. A test compares the files
with what these functions say.
"""

import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer.main

import treadle
from treadle import errors, interfaces, step
from treadle.api.http.problems import status_of
from treadle.api.http.routes import OPERATIONS
from treadle.cli.app import app as command_line
from treadle.errors import TreadleError
from treadle.formats import checking, definition, parameter_types
from treadle.formats.schema import schema_text
from treadle.model import looks, records, states
from treadle.server import settings

HERE = Path(__file__).parent / "reference"
NOTICE = "<!-- Made from the code by `make docs`. Edit the code, not this page. -->\n\n"


def clean(text: str | None) -> str:
    """A docstring as markdown: trailing spaces gone, ready to stand in a page."""
    return inspect.cleandoc(text or "").strip()


def first_line(text: str | None) -> str:
    return clean(text).partition("\n")[0]


def cell(text: str) -> str:
    """Text that may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def fenced(text: str, language: str = "") -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


# -- states ---------------------------------------------------------------------------------------


def states_page() -> str:
    return "\n".join(
        [
            "# States\n",
            clean(states.__doc__).partition("\nThe tables are")[0] + "\n",
            "## A job\n",
            fenced(coloured(states.diagram(states.JOB_MOVES, states.JobState.WAITING)), "mermaid"),
            moves_table(states.JOB_MOVES),
            "## A run\n",
            fenced(coloured(states.diagram(states.RUN_MOVES, states.RunState.QUEUED)), "mermaid"),
            moves_table(states.RUN_MOVES),
            "## Why a job failed\n",
            members_table(records.FailureType),
        ]
    )


def coloured(diagram: str) -> str:
    """The diagram with the colours that states have on screen."""
    names = set(re.findall(r"--> (\w+)", diagram))
    return "\n".join([diagram.rstrip(), *looks.mermaid_classes(names)])


def moves_table(moves: dict[Any, Any]) -> str:
    lines = ["| from | event | to |", "|---|---|---|"]
    lines += [f"| {before} | {event} | {after} |" for (before, event), after in moves.items()]
    return "\n".join(lines) + "\n"


def members_table(kind: Any) -> str:
    """The members of an enum with the comments behind them."""
    source = inspect.getsource(kind)
    found = re.findall(r'= "(\w+)"(?:\s*#\s*(.*))?', source)
    lines = ["| type | when |", "|---|---|"]
    lines += [f"| `{value}` | {cell(comment)} |" for value, comment in found]
    return "\n".join(lines) + "\n"


# -- errors ---------------------------------------------------------------------------------------


def errors_page() -> str:
    essay, _, _ = clean(errors.__doc__).partition("\n\n")
    tree = clean(errors.__doc__).removeprefix(essay).partition("\n\n`code`")[0]
    lines = ["| class | code | HTTP status | meaning |", "|---|---|---|---|"]
    meanings = dict(re.findall(r"[|`]-- (\w+) +(\S.*)", tree))
    for kind in subclasses(TreadleError):
        meaning = meanings.get(kind.__name__) or first_line(kind.__dict__.get("__doc__"))
        status = status_of(kind("x"))
        lines.append(f"| `{kind.__name__}` | `{kind.code}` | {status} | {cell(meaning)} |")
    return "\n".join(
        [
            "# Errors\n",
            (
                "Every error has a stable `code`, which travels over HTTP, and a `sentence`, which "
                "says what happened and the next step.\n"
            ),
            fenced(inspect.cleandoc(tree)),
            *lines,
            "",
        ]
    )


def subclasses(base: type[TreadleError]) -> Iterator[type[TreadleError]]:
    yield base
    for child in base.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from subclasses(child)


# -- settings -------------------------------------------------------------------------------------


def settings_page() -> str:
    essay = clean(settings.__doc__).partition("\n`python -m")[0]
    return f"# Settings\n\n{essay}\n\n{settings.reference()}"


# -- command line ---------------------------------------------------------------------------------


def command_line_page() -> str:
    group: Any = typer.main.get_command(command_line)
    parts = ["# Command line\n", f"{clean(group.help)}\n", f"{clean(group.epilog)}\n"]
    lines = ["| command | what it does |", "|---|---|"]
    for name, command in group.commands.items():
        lines.append(f"| [`treadle {name}`](#treadle-{name}) | {cell(first_line(command.help))} |")
    parts += ["\n".join(lines) + "\n"]
    parts += [command_part(name, command) for name, command in group.commands.items()]
    return "\n".join(parts)


def command_part(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join(
        ["treadle", name, "[OPTIONS]" if options else "", *map(argument_text, arguments)]
    )
    lines = [f"## treadle {name}\n", fenced(" ".join(usage.split()), "console")]
    lines.append(clean(command.help) + "\n")
    lines += [f"- `{argument_name(p)}`: {cell(p.help or '')}" for p in arguments if p.help]
    if options:
        lines += ["", "| option | environment | default | what it is |", "|---|---|---|---|"]
        lines += [option_line(command, option) for option in options]
    return "\n".join(lines) + "\n"


def argument_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def argument_text(parameter: Any) -> str:
    name = argument_name(parameter)
    return name if parameter.required else f"[{name}]"


def option_line(command: Any, option: Any) -> str:
    names = " / ".join(f"`{n}`" for n in [*option.opts, *option.secondary_opts])
    twin = option.envvar or f"TREADLE_{command.name}_{option.name}".upper()
    return f"| {names} | `{twin}` | {option_default(option)} | {cell(option.help or '')} |"


def option_default(option: Any) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    default = option.default
    if default is None or default is False or callable(default) or default in ((), [], ""):
        return ""
    if type(default).__name__ in ("Sentinel", "UnsetType"):
        return ""
    return "yes" if default is True else f"`{default}`"


# -- Python ---------------------------------------------------------------------------------------


def python_page() -> str:
    parts = [
        "# Python\n",
        clean(treadle.__doc__) + "\n",
        "Everything here is imported from `treadle`.\n",
    ]
    for name in treadle.__all__:
        thing = getattr(treadle, name)
        if inspect.isclass(thing) and issubclass(thing, Exception):
            continue
        if callable(thing):
            parts.append(thing_part(name, thing))
    parts.append("## What tools and pipelines can do\n")
    for module, name in (
        ("treadle.authoring.tools", "ToolFunction"),
        ("treadle.authoring.pipelines", "PipelineFunction"),
        *treadle_client_classes(),
    ):
        parts.append(thing_part(name, getattr(importlib.import_module(module), name), level=3))
    parts.append("## Options\n")
    for module, name in (
        ("treadle.model.options", "ToolOptions"),
        ("treadle.model.options", "ExecutionOptions"),
        ("treadle.authoring.pipelines", "PipelineOptions"),
    ):
        kind = getattr(importlib.import_module(module), name)
        parts.append(f"### `{name}`\n\n{clean(kind.__doc__)}\n\n{fields_table(kind)}")
    parts.append("Errors are listed [on their own page](errors.md).\n")
    return "\n".join(parts)


def treadle_client_classes() -> list[tuple[str, str]]:
    """Classes that users meet only as results: the client, the step of a run."""
    client = importlib.import_module("treadle.client")
    names = [n for n in getattr(client, "__all__", ()) if inspect.isclass(getattr(client, n))]
    return [("treadle.client", name) for name in names if name != "Run"]


def thing_part(name: str, thing: Any, *, level: int = 2) -> str:
    marks = "#" * level
    doc = clean(thing.__doc__)
    if not inspect.isclass(thing):
        return f"{marks} `{name}`\n\n{fenced(name + signature(thing), 'text')}\n{doc}\n"
    lines = [f"{marks} `{name}`\n", doc + "\n"]
    for member, value in public_members(thing):
        lines.append(member_line(member, value))
    return "\n".join(lines) + "\n"


def public_members(kind: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(kind).items():
        if not name.startswith(("_", "reduce_")) and member_doc(value):
            yield name, value


def member_doc(value: Any) -> str:
    if isinstance(value, property) or inspect.isfunction(value) or hasattr(value, "attrname"):
        return clean(value.__doc__)
    return ""


def member_line(name: str, value: Any) -> str:
    call = signature(value) if inspect.isfunction(value) else ""
    text = member_doc(value).replace("\n", "\n  ")
    return f"- `{name}{call}`: {text}"


def signature(function: Any) -> str:
    text = str(inspect.signature(function))
    text = re.sub(r"\(self,? ?", "(", text)
    text = re.sub(r"\*<class '([\w.]+)'>", r"\1", text)
    text = re.sub(r"(?<=: |> )'([^']+)'", r"\1", text).replace("~T", "T")
    text = re.sub(r"\b(?:typing|collections\.abc|pathlib|datetime)\.", "", text)
    return re.sub(r"\btreadle(?:\.\w+)+\.(\w+)", r"\1", text)


# -- HTTP -----------------------------------------------------------------------------------------


HTTP_ESSAY = """\
Every process that owns a data directory serves this API on the Unix socket `owner.sock` in it, for
its own user only. Bodies are JSON, times ISO 8601. Errors are RFC 9457 problem documents with our
[codes](errors.md). An id in a path may be any beginning of it that is unique.
"""


def http_page() -> str:
    lines = ["| method | path | what it does |", "|---|---|---|"]
    for each in OPERATIONS:
        does = clean(each.handler.__doc__)
        lines.append(f"| {each.method} | `{each.path}` | {cell(does)} |")
    return "\n".join(["# HTTP\n", HTTP_ESSAY, *lines, ""])


# -- seams ----------------------------------------------------------------------------------------


def seams_page() -> str:
    essay = clean(interfaces.__doc__)
    names = ("Engine", "Runtime", "Ledger", "BlobStore", "Clock", "Channel")
    parts = [thing_part(name, getattr(interfaces, name)) for name in names]
    return "\n".join([f"# Seams\n\n{essay}\n", *parts])


def step_page() -> str:
    names = ("output", "log_metric", "progress", "attempt_number", "scratch_dir")
    essay, _, example = clean(step.__doc__).partition("\n\n")
    parts = [thing_part(name, getattr(step, name)) for name in names]
    given = [
        f"## `{name}`\n\n{clean(type(getattr(step, name)).__doc__)}\n"
        for name in ("inputs", "parameters")
    ]
    return "\n".join([f"# Inside a step\n\n{essay}\n\n{fenced(example, 'text')}", *given, *parts])


# -- records --------------------------------------------------------------------------------------


def records_page() -> str:
    kinds = ("Run", "Job", "Attempt", "Failure", "Certificate", "Metric", "Event", "Execution")
    parts = [
        f"## {name}\n\n{clean(getattr(records, name).__doc__)}\n\n"
        f"{fields_table(getattr(records, name))}"
        for name in kinds
    ]
    return "\n".join(["# Records\n\nWhat the ledger keeps and the API shows.\n", *parts])


def fields_table(kind: type) -> str:
    """The fields of a class body, with the comments behind or above them."""
    pattern = r"(?m)^    (\w+): ([^=#\n]+?)(?: = ([^#\n]+?))?(?:\s*#:?\s*(.*))?$"
    found = re.findall(pattern, inspect.getsource(kind).partition("\n    def ")[0])
    lines = ["| name | type | default | what it is |", "|---|---|---|---|"]
    for name, annotation, default, comment in found:
        shown = f"`{cell(default)}`" if default and "field(" not in default else ""
        lines.append(f"| `{name}` | `{cell(annotation)}` | {shown} | {cell(comment)} |")
    return "\n".join(lines) + "\n"


# -- pipeline file --------------------------------------------------------------------------------


FILE_ESSAY = """\
A pipeline file is YAML 1.2 or JSON. [How to write one](../how-to/pipeline-file.md) explains it;
editors take [its JSON Schema](treadle.schema.json), which `treadle schema` prints too. Unknown keys
are refused. Paths start at the file's folder.
"""
FILE_PARTS = {
    "The file": definition.PipelineDefinition,
    "A step": definition.StepDefinition,
    "An environment": definition.EnvironmentOptions,
}


def pipeline_file_page() -> str:
    parts = [f"# Pipeline file\n\n{FILE_ESSAY}"]
    for title, kind in FILE_PARTS.items():
        lines = ["| key | value | what it is |", "|---|---|---|"]
        lines += [key_line(name, each) for name, each in checking.fields(kind).items()]
        parts.append(f"## {title}\n\n{clean(kind.__doc__)}\n\n" + "\n".join(lines) + "\n")
    keywords = ", ".join(f"`{keyword}`" for keyword in parameter_types.KEYWORDS)
    parts.append(
        "## A parameter\n\n"
        "Either a default, whose type is the type (`null`: any), or a JSON Schema with these "
        f"keywords: {keywords}. Without `default`, every run has to give a value.\n"
    )
    return "\n".join(parts)


def key_line(name: str, kind: Any) -> str:
    """A key, the kinds of value that it takes, and what its description says."""
    (meta,) = [each for each in kind.__metadata__ if each.description]
    text = cell(meta.description)
    for example in meta.examples or ():
        text += f" `{example_text(example)}`"
    return f"| `{name}` | {cell(checking.words(kind))} | {text} |"


def example_text(example: Any) -> str:
    text = json.dumps(example, ensure_ascii=False)
    return cell(text if isinstance(example, list | dict) else text.strip('"'))


PAGES: dict[str, Callable[[], str]] = {
    "states.md": states_page,
    "errors.md": errors_page,
    "settings.md": settings_page,
    "command-line.md": command_line_page,
    "pipeline-file.md": pipeline_file_page,
    "python.md": python_page,
    "step.md": step_page,
    "records.md": records_page,
    "http.md": http_page,
    "seams.md": seams_page,
}


def page(name: str) -> str:
    """The whole text of a page."""
    return NOTICE + PAGES[name]().rstrip() + "\n"


def main() -> int:
    HERE.mkdir(exist_ok=True)
    for name in PAGES:
        (HERE / name).write_text(page(name))
    (HERE / "treadle.schema.json").write_text(schema_text())
    sys.stdout.write(f"Wrote {len(PAGES)} pages in docs/reference\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
