"""The commands and their options as plain data, kept in a cache so that typer need not be loaded.

The cache is named by the command line's files, so another version never reads it.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import treadle

Commands = dict[str, Any]  #: name -> {"help", "options": [...], "arguments": [...]}
CLI = Path(__file__).parent.parent
HELP = {"name": "help", "names": ["--help", "-h"], "help": "Show the help", "takes": False,
        "metavar": ""}  # fmt: skip


def commands() -> Commands:
    """All of them; "" has the options of `treadle` itself."""
    file = cache_file(os.environ)
    with contextlib.suppress(OSError, ValueError):
        found: Commands = json.loads(file.read_bytes())
        return found
    made = made_anew()
    with contextlib.suppress(OSError):
        _keep(file, made)
    return made


def cache_file(environ: "os._Environ[str] | dict[str, str]") -> Path:
    """Where they are kept: for this version of the files alone."""
    files = sorted(os.scandir(CLI), key=lambda entry: entry.name)
    stamps = [(e.name, e.stat().st_mtime_ns) for e in files if e.name.endswith(".py")]
    key = hashlib.blake2b(f"{treadle.__version__}{CLI}{stamps}".encode(), digest_size=8).hexdigest()
    base = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".cache")
    return Path(base) / "treadle" / f"commands-{key}.json"


def _keep(file: Path, made: Commands) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, passing = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as out:
        json.dump(made, out)
    Path(passing).replace(file)
    for old in file.parent.glob("commands-*.json"):
        if old != file:
            old.unlink(missing_ok=True)


def made_anew() -> Commands:
    """From the command line itself."""
    import typer.main  # noqa: PLC0415 - slow, which is why there is a cache

    from treadle.cli.app import app  # noqa: PLC0415 - as above

    group: Any = typer.main.get_command(app)
    return {"": _command(group)} | dict(_within(group, ""))


def _within(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    """Commands by name; those of a group in it as "group command"."""
    for name, each in group.commands.items():
        yield before + name, _command(each)
        if hasattr(each, "commands"):
            yield from _within(each, f"{before}{name} ")


def _command(command: Any) -> dict[str, Any]:
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    return {
        "help": first_sentence(command.help or ""),
        "options": [*(_option(p) for p in shown if p.param_type_name == "option"), HELP],
        "arguments": [_argument(p) for p in shown if p.param_type_name == "argument"],
    }


def _option(option: Any) -> dict[str, Any]:
    return {
        "name": option.name,
        "names": [*option.opts, *option.secondary_opts],
        "help": first_sentence(option.help or ""),
        "takes": not (option.is_flag or getattr(option, "count", False)),
        "metavar": option.metavar or "",
    }


def _argument(argument: Any) -> dict[str, Any]:
    return {
        "name": argument.name,
        "metavar": argument.metavar or "",
        "many": argument.nargs == -1,
    }


def first_sentence(text: str) -> str:
    """The first sentence of a help text, on one line."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".")
