"""Keep what is typed (`^C` above all) from being echoed into the live view."""

import contextlib
import os
import sys
import termios
from typing import Any

_LOCAL_MODES = 3  #: index in what tcgetattr returns
_before: list[Any] | None = None  # the terminal is one, and so is this


def hide() -> None:
    """Echo nothing from now on, if this process holds the terminal."""
    global _before
    with contextlib.suppress(OSError, ValueError, termios.error):
        keyboard = sys.stdin.fileno()
        if _before is not None or os.tcgetpgrp(keyboard) != os.getpgrp():
            return  # a background process would be stopped for changing the terminal
        _before = termios.tcgetattr(keyboard)
        quiet = termios.tcgetattr(keyboard)
        quiet[_LOCAL_MODES] &= ~termios.ECHO
        termios.tcsetattr(keyboard, termios.TCSANOW, quiet)


def show() -> None:
    """Echo again, as before; harmless when nothing was hidden."""
    global _before
    before, _before = _before, None
    if before is not None:
        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, before)
