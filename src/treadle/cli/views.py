"""How a followed run is shown where there is no terminal, or nobody looks."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from treadle.cli import printing
from treadle.client.board import WORTH_A_LINE, Board, Row
from treadle.client.progress import Uploading
from treadle.model.records import Event
from treadle.model.states import JOB_ENDS

HOLD_SECONDS = 0.1
UPLOAD_SECONDS = 3.0  #: an upload that takes longer is told of in a line, once
WORDS = WORTH_A_LINE | {"job.abort_requested": "aborting"}  #: which is asked for here


class View(Protocol):
    """Shows a run while it is followed; all calls come from one thread.

    silent: it shows nothing of what happens, so that nothing need be read.
    """

    silent: bool

    def loading(self, what: str) -> None:
        """The pipeline file is being read, no run exists yet."""
        ...

    def uploading(self, what: str, told: Uploading) -> None:
        """The pipeline's code is on its way, before a run exists; then it is as `loading`."""
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

    def uploading(self, what: str, told: Uploading) -> None: ...

    def start(self, board: Board) -> None: ...

    def applied(self, event: Event, row: Row | None) -> None: ...

    def output(self, row: Row, lines: list[str]) -> None: ...

    def notice(self, text: str) -> None:
        printing.tell(text)

    def refresh(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Held:
    """Something to print. order: within its job, (attempt, 0 start, 1 output, 2 end)."""

    job_id: str
    order: tuple[int, int]
    text: Callable[[], str]  #: made when printed, so that late metrics are in it


class PlainView(QuietView):
    """One line for each event, output lines behind their step's name.

    Output and metrics are announced beside the diary, a little before or after it. Lines are held
    for a moment, so that a job's start, output and end come in this order.
    """

    silent = False

    def __init__(self) -> None:
        self._board: Board | None = None
        self._width = 0
        self._held: list[_Held] = []
        self._held_since = 0.0
        self._tell_upload_after = float("inf")

    def uploading(self, what: str, told: Uploading) -> None:
        now = time.monotonic()
        if told.done == 0:
            self._tell_upload_after = now + UPLOAD_SECONDS
        elif now >= self._tell_upload_after and not told.is_over:
            self._tell_upload_after = float("inf")
            self.notice(f"uploading {printing.part(told.done, told.total)}")

    def start(self, board: Board) -> None:
        self._board = board
        self._width = min(24, max((len(row.step) for row in board.rows.values()), default=0))
        what = f"{board.run.id}  {board.run.pipeline}  {printing.pairs(board.run.parameters)}"
        printing.say(what.rstrip())

    def applied(self, event: Event, row: Row | None) -> None:
        if row is None:
            state = self._board.run.state if self._board else event.kind
            self._hold("", (0, 0), lambda: self._line(event.at, "run", state))
        elif event.kind in WORDS:
            order = (row.attempt, 0 if event.kind == "job.started" else 2)
            word = row.state if row.state in JOB_ENDS else WORDS[event.kind]
            attempt = row.attempt  # the row may be at the next one when this is printed
            self._hold(row.job_id, order, lambda: self._told(event, row, word, attempt))

    def output(self, row: Row, lines: list[str]) -> None:
        text = "\n".join(f"{row.step} | {line}" for line in lines)
        self._hold(row.job_id, (row.attempt, 1), lambda: text)

    def notice(self, text: str) -> None:
        at = datetime.now(UTC)
        self._hold("", (0, 0), lambda: self._line(at, "run", text))
        self._flush()

    def refresh(self) -> None:
        if self._held and time.monotonic() - self._held_since > HOLD_SECONDS:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _hold(self, job_id: str, order: tuple[int, int], text: Callable[[], str]) -> None:
        if not self._held:
            self._held_since = time.monotonic()
        self._held.append(_Held(job_id, order, text))

    def _flush(self) -> None:
        held, self._held = in_order(self._held), []
        if held:
            printing.say("\n".join(each.text() for each in held))

    def _told(self, event: Event, row: Row, word: str, attempt: int) -> str:
        said = [word, _attempt(attempt), _numbers(event, row), _why(event, row)]
        return self._line(event.at, row.step, "  ".join(part for part in said if part))

    def _line(self, at: datetime, who: str, what: str) -> str:
        start = self._board.run.created_at if self._board else at
        seconds = max(0.0, (at - start).total_seconds())
        return f"{seconds:7.1f}s  {who:<{self._width}}  {what}"


def in_order(held: Sequence[_Held]) -> list[_Held]:
    """Each job's lines in their order, on the places which that job's lines had."""
    by_job: dict[str, list[_Held]] = {}
    for each in held:
        by_job.setdefault(each.job_id, []).append(each)
    ordered = {job: iter(sorted(lines, key=lambda e: e.order)) for job, lines in by_job.items()}
    return [next(ordered[each.job_id]) for each in held]


def _attempt(attempt: int) -> str:
    return f"attempt {attempt}" if attempt > 1 else ""


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
