"""The command line: all commands, and what becomes of an error in one of them."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from treadle.cli import (
    audit,
    diff,
    doctor,
    documents,
    events,
    graph,
    groups,
    init,
    listing,
    login,
    logs,
    outputs,
    printing,
    ps,
    run,
    token,
    up,
    upkeep,
    wait,
)
from treadle.cli.signals import silence
from treadle.cli.where import spelt_out
from treadle.errors import InvalidRequest, TreadleError

UsageError: Any = typer.BadParameter.__base__  # wherever this release of typer has it from
CONTEXT = {"auto_envvar_prefix": "TREADLE", "help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The one place where an error becomes a sentence and an exit code."""

    def main(self, *args: Any, **options: Any) -> Any:
        """With --json, typer's own complaints are JSON too."""
        if not _wants_json(sys.argv):
            return super().main(*args, **options)
        try:
            code = super().main(*args, **options | {"standalone_mode": False})
        except UsageError as error:
            printing.report(_in_our_words(error), as_json=True)
            sys.exit(printing.MISTAKE)
        except typer.Abort:
            sys.exit(printing.INTERRUPTED)
        sys.exit(code if isinstance(code, int) else printing.OK)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TreadleError as error:
            printing.report(error, as_json=_wants_json(sys.argv))
            sys.exit(printing.exit_code(error))
        except BrokenPipeError:  # `treadle logs ID | head`: the reader has enough
            silence()
            sys.exit(printing.OK)
        except KeyboardInterrupt:
            sys.exit(printing.INTERRUPTED)


app = typer.Typer(
    name="treadle",
    cls=Commands,
    help="Durable, observable runs of functions and scripts: in this process, or on a server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    epilog="Exit codes: 0 completed, 1 failed, 2 mistake in what was asked, 3 unavailable, "
    "130 aborted.",
)

RUNNING, SERVING, WRITING = "Run", "Serve", "Write"
LOOKING, KEEPING = "Look", "Upkeep"
COMMANDS: dict[str, list[Callable[..., None]]] = {
    RUNNING: [init.init, run.run, upkeep.abort, run.retry, wait.wait],
    SERVING: [up.up, up.down, login.login, login.logout],
    WRITING: [documents.validate, documents.export, documents.schema],
    LOOKING: [
        graph.graph,
        ps.ps,
        listing.show,
        diff.diff,
        logs.logs,
        events.events,
        listing.metrics,
        outputs.artifacts,
        outputs.get,
    ],
    KEEPING: [upkeep.rm, upkeep.gc, audit.audit, doctor.doctor, upkeep.version],
}
WITH_GROUPS = (ps.ps,)
for panel, commands in COMMANDS.items():
    for command in commands:
        kind = groups.GroupCommand if command in WITH_GROUPS else None
        app.command(rich_help_panel=panel, cls=kind)(spelt_out(command))
app.add_typer(token.app, name="token", rich_help_panel=KEEPING)


def run_command_line() -> int:
    """Run sys.argv; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name may hold what the terminal cannot show
    try:
        app(prog_name="treadle")
    except SystemExit as end:
        _flush()
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def _flush() -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        return
    silence()


def _in_our_words(error: Any) -> InvalidRequest:
    """What typer says of a command line that cannot be read."""
    path = error.ctx.command_path if error.ctx else "treadle"
    return InvalidRequest(error.format_message(), hint=f"`{path} --help` shows what there is.")


def _wants_json(arguments: list[str]) -> bool:
    return "--json" in arguments or os.environ.get("TREADLE_JSON", "0") not in ("", "0", "false")
