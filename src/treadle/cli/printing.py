"""What every command prints with: JSON, tables, durations, sizes, and errors."""

import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from treadle.errors import Aborted, TreadleError, Unavailable, UserMistake
from treadle.model.looks import LOOKS
from treadle.model.states import JobState
from treadle.model.wire import to_wire

OK, FAILED, MISTAKE, UNAVAILABLE, HUNG_UP, INTERRUPTED = 0, 1, 2, 3, 129, 130  #: exit codes

GLYPHS = {
    state: (look.glyph, look.ascii, look.style) for state, look in LOOKS.items()
}  #: state -> (glyph, the same in ASCII, style)


def console(*, error: bool = False) -> Console:
    """A rich console on stdout or stderr; as wide as the terminal, unlimited in a pipe."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 10_000
    return Console(stderr=error, highlight=False, width=width, soft_wrap=width is not None)


def say(text: str = "") -> None:
    """A line on stdout."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """A line on stderr, for what is no result."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def say_json(value: Any, *, line: bool = False) -> None:
    """One JSON document on stdout; line: on a single line, of a stream."""
    wire, indent = to_wire(value), None if line else 2
    try:
        text = json.dumps(wire, indent=indent, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(wire), indent=indent, ensure_ascii=False, default=str)
    say(text)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become "nan", "inf" and "-inf", as in the API."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def glyph(state: JobState, *, ascii_only: bool = False) -> tuple[str, str]:
    """(glyph, style) of a state."""
    pretty, plain, style = GLYPHS[state]
    return (plain if ascii_only else pretty), style


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numbers: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """A table on stdout; the columns of `numbers` are set right, those of `whole` never broken.

    A cell may be a string, or (string, style).
    """
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        right = heading in numbers
        drawn.add_column(
            heading,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=heading in whole,
        )
    for row in rows:
        cells = [cell if isinstance(cell, tuple) else (str(cell), "") for cell in row]
        drawn.add_row(*[Text(text, style) for text, style in cells])
    target = console()
    if target.is_terminal:
        target.print(drawn)
        return
    with target.capture() as captured:
        target.print(drawn)
    say("\n".join(line.rstrip() for line in captured.get().splitlines()))


def heading(text: str) -> None:
    """A line on stdout that catches the eye."""
    console().print(Text(text, "bold red"), soft_wrap=True)


def compact(value: Any) -> str:
    """A JSON value on one line; a string as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def indented(value: Any) -> str:
    """A JSON value on many lines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def signal_name(number: int) -> str:
    """ "SIGKILL" of 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def number(value: float) -> str:
    """A metric for reading: four significant digits, whole numbers whole."""
    whole = abs(value) < 1e9 and value == int(value)
    return f"{value:.0f}" if whole else f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """15ms, 2.1s, 3m12s, 4h05m."""
    if seconds is None:
        return ""
    if 0 < seconds < 0.0995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def span(start: datetime | None, end: datetime | None) -> str:
    """Duration from start to end, or to now."""
    if start is None:
        return ""
    return duration(((end or datetime.now(UTC)) - start).total_seconds())


def moment(seconds: float) -> str:
    """2026-11-21 12:00:00, in local time, of seconds since 1970."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"


def ago(when: datetime) -> str:
    """How long ago, in one unit."""
    seconds = max(0.0, (datetime.now(UTC) - when).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return f"{int(seconds)}s ago"


def size(size_bytes: float) -> str:
    """1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def part(done: float, total: float) -> str:
    """34 of 180 MB: bytes, in the unit of the whole."""
    units = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
    unit, scale = next((each for each in units if total >= each[1]), ("B", 1.0))
    digits = 1 if unit != "B" and total < 10 * scale else 0
    return f"{done / scale:.{digits}f} of {total / scale:.{digits}f} {unit}"


def pairs(values: Any, *, most: int = 60) -> str:
    """`a=1 b=x` of a mapping; long values cut."""
    shown = ((key, v if isinstance(v, str) else json.dumps(v)) for key, v in values.items())
    return " ".join(f"{key}={v if len(v) <= most else v[: most - 1] + '…'}" for key, v in shown)


def exit_code(error: TreadleError) -> int:
    """The exit code an error ends the command with."""
    if isinstance(error, UserMistake):
        return MISTAKE
    if isinstance(error, Unavailable):
        return UNAVAILABLE
    return INTERRUPTED if isinstance(error, Aborted) else FAILED


def report(error: TreadleError, *, as_json: bool) -> None:
    """Tell an error: one sentence and the next step; the traceback only with TREADLE_DEBUG=1."""
    if os.environ.get("TREADLE_DEBUG", "0") not in ("", "0"):
        tell("".join(traceback.format_exception(error)).rstrip())
    if as_json:
        say_json({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        return
    console(error=True).print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        tell(f"  {error.hint}")
