"""How a followed run is shown where there is no terminal, or nobody looks."""

from datetime import UTC, datetime
from typing import Protocol

from treadle.cli import printing
from treadle.cli.board import Board, Row
from treadle.model.records import Event

#: What a plain line says for a job's event; others are not worth a line.
WORDS = {
    "job.started": "running",
    "job.completed": "completed",
    "job.failed": "failed",
    "job.retried": "failed, will be tried again",
    "job.lost": "lost, queued again",
    "job.skipped": "skipped",
    "job.reused": "reused",
    "job.abort_requested": "aborting",
    "job.gone": "aborted",
}


class View(Protocol):
    """Shows a run while it is followed; all calls come from one thread.

    silent: it shows no output of jobs, so that none need be read.
    """

    silent: bool

    def loading(self, what: str) -> None:
        """The pipeline file is being read, no run exists yet."""
        ...

    def start(self, board: Board) -> None:
        """The run exists; the board is kept up to date by the caller."""
        ...

    def applied(self, event: Event, row: Row | None) -> None:
        """The event has been taken into the board; row: the job's, None if about the run."""
        ...

    def output(self, row: Row, lines: list[str]) -> None:
        """Whole lines that the job printed."""
        ...

    def notice(self, text: str) -> None:
        """Something the user should know about the following itself."""
        ...

    def refresh(self) -> None:
        """Draw again if it is time; called several times a second."""
        ...

    def close(self) -> None:
        """Leave the screen in order; harmless when called twice."""
        ...


class QuietView:
    """Shows nothing but notices, on stderr. Also what --json uses."""

    silent = True

    def loading(self, what: str) -> None: ...

    def start(self, board: Board) -> None: ...

    def applied(self, event: Event, row: Row | None) -> None: ...

    def output(self, row: Row, lines: list[str]) -> None: ...

    def notice(self, text: str) -> None:
        printing.tell(text)

    def refresh(self) -> None: ...

    def close(self) -> None: ...


class PlainView(QuietView):
    """One line for each event, output lines behind their step's name."""

    silent = False

    def __init__(self) -> None:
        self._board: Board | None = None
        self._width = 0

    def start(self, board: Board) -> None:
        self._board = board
        self._width = min(24, max((len(row.step) for row in board.rows.values()), default=0))
        what = f"{board.run.id}  {board.run.pipeline}  {printing.pairs(board.run.parameters)}"
        printing.say(what.rstrip())

    def applied(self, event: Event, row: Row | None) -> None:
        if row is None:
            self._line(event.at, "run", f"{event.kind.partition('.')[2].replace('_', ' ')}")
        elif event.kind in WORDS:
            said = [WORDS[event.kind], _attempt(row), _numbers(event, row), _why(event, row)]
            self._line(event.at, row.step, "  ".join(part for part in said if part))

    def _line(self, at: datetime, who: str, what: str) -> None:
        start = self._board.run.created_at if self._board else at
        seconds = max(0.0, (at - start).total_seconds())
        printing.say(f"{seconds:7.1f}s  {who:<{self._width}}  {what}")

    def output(self, row: Row, lines: list[str]) -> None:
        printing.say("\n".join(f"{row.step} | {line}" for line in lines))

    def notice(self, text: str) -> None:
        self._line(datetime.now(UTC), "run", text)


def _attempt(row: Row) -> str:
    return f"attempt {row.attempt}" if row.attempt > 1 else ""


def _numbers(event: Event, row: Row) -> str:
    if event.kind not in ("job.completed", "job.failed", "job.retried"):
        return ""
    return numbers(row)


def numbers(row: Row, *, most: int = 4) -> str:
    """The last metrics of a job: `accuracy=0.97 loss=0.1`."""
    shown = list(row.metrics.items())[:most]
    return " ".join(f"{name}={printing.number(value)}" for name, value in shown)


def _why(event: Event, row: Row) -> str:
    if event.kind in ("job.failed", "job.retried"):
        return row.message
    return row.reason if event.kind in ("job.skipped", "job.lost") else ""
