"""What a shell offers after TAB, without loading the command line.

The scripts are typer's (`treadle --install-completion`). They ask by running `treadle` with
`_TREADLE_COMPLETE` set; we answer here, in a tenth of the time that typer needs to start.
"""

import os
import sys

VARIABLE = "_TREADLE_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


def asked() -> str | None:
    """The shell that asks, if one does that we answer."""
    instruction, _, shell = os.environ.get(VARIABLE, "").partition("_")
    return shell if instruction == "complete" and shell in SHELLS else None


def answer(shell: str) -> int:
    """Print what may follow; the exit code. What goes wrong is told with TREADLE_DEBUG=1 alone."""
    from treadle.cli.completion import engine, shells  # noqa: PLC0415 - commands need none of it

    said = shells.SHELLS[shell]
    words, incomplete = said.asked(os.environ)
    try:
        found = engine.candidates(words, incomplete)
    except Exception:  # any: a traceback in the middle of a command line helps nobody
        if os.environ.get("TREADLE_DEBUG", "0") not in ("", "0"):
            raise
        found = []
    text, code = said.told(found, incomplete, os.environ)
    sys.stdout.write(text)
    return code
