"""How a followed run is shown: on a terminal, in a pipe, in a notebook; see `view_of`."""

import re
import sys
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from treadle.client.board import WORTH_A_LINE, Board, Row
from treadle.client.display import MOST_LINES, snapshot
from treadle.client.following import Printed
from treadle.model.records import Event
from treadle.model.states import JOB_ENDS, JOB_GOOD_ENDS, RUN_ENDS

if TYPE_CHECKING:
    from treadle.client.details import RunDetail

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class FollowView:
    """Keeps a board of the run up to date; how it is shown is up to those below."""

    tick_seconds = 0.2

    def __init__(self) -> None:
        self.board: Board | None = None
        self._shown_at = 0.0

    def __enter__(self) -> "FollowView":
        return self

    def __exit__(self, *_: object) -> None:
        self.refresh()

    def take(self, item: "RunDetail | Event | Printed | None") -> None:
        """What was told; None after a while without anything. Draws, if it is time."""
        if isinstance(item, Event):
            if self.board is not None:
                self.happened(item, self.board.apply(item))
        elif isinstance(item, Printed):
            if self.board is not None:
                self.printed(self.board.rows[item.job_id].step, item.lines)
        elif item is not None:
            self._stand(item)
        if time.monotonic() - self._shown_at >= self.tick_seconds:
            self.refresh()
            self._shown_at = time.monotonic()

    def _stand(self, detail: "RunDetail") -> None:
        metrics = {id: row.metrics for id, row in self.board.rows.items()} if self.board else {}
        self.board = Board(detail.run, detail.jobs, detail.edges)
        for job_id, known in metrics.items():
            self.board.rows[job_id].metrics = known

    def happened(self, event: Event, row: Row | None) -> None:
        """Something happened; row: the job's, None if it is about the run."""

    def printed(self, step: str, lines: list[str]) -> None:
        """A step printed whole lines."""

    def refresh(self) -> None:
        """Draw it as it is now."""


class LinesView(FollowView):
    """Lines of text, for a pipe or a file."""

    def happened(self, event: Event, row: Row | None) -> None:
        if row is not None and event.kind in WORTH_A_LINE:
            self._say(f"{row.step}: {WORTH_A_LINE[event.kind]}{_because(row)}")

    def printed(self, step: str, lines: list[str]) -> None:
        for line in lines:
            self._say(f"{step} | {cleaned(line)}")

    def __exit__(self, *_: object) -> None:
        if self.board is not None:
            self._say(headline(self.board))

    def _say(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class TerminalView(FollowView):
    """Lines as they are printed, and below them one that tells how far the run is."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - 30 ms; only who follows needs it
        from rich.live import Live  # noqa: PLC0415 - as above

        super().__init__()
        self._live = Live(console=Console(highlight=False), auto_refresh=False, transient=True)

    def __enter__(self) -> "TerminalView":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        if self.board is not None:
            self._live.console.print(headline(self.board), markup=False)

    def happened(self, event: Event, row: Row | None) -> None:
        if row is not None and row.state in JOB_ENDS - JOB_GOOD_ENDS and event.kind in WORTH_A_LINE:
            self._live.console.print(
                f"{row.step}: {WORTH_A_LINE[event.kind]}{_because(row)}", style="red"
            )

    def printed(self, step: str, lines: list[str]) -> None:
        from rich.text import Text  # noqa: PLC0415 - as above

        for line in lines:
            text = Text.assemble((f"{step} | ", "dim cyan"), Text.from_ansi(line))
            self._live.console.print(text)

    def refresh(self) -> None:
        from rich.text import Text  # noqa: PLC0415 - as above

        if self.board is not None:
            busy = ", ".join(row.step + _share(row) for row in list(self.board.active.values())[:4])
            line = Text(headline(self.board) + (f"  {busy}" if busy else ""), no_wrap=True)
            line.truncate(self._live.console.width - 1, overflow="ellipsis")
            self._live.update(line, refresh=True)


class NotebookView(FollowView):
    """A live table in the output of a cell. Plain HTML: no widgets, and it stays when saved."""

    def __init__(self) -> None:
        super().__init__()
        self._tail: deque[tuple[str, str]] = deque(maxlen=MOST_LINES)
        self._handle: Any = None

    def printed(self, step: str, lines: list[str]) -> None:
        self._tail.extend((step, cleaned(line)) for line in lines)

    def refresh(self) -> None:
        from IPython import display  # noqa: PLC0415 - only there in a notebook

        if self.board is None:
            return
        shown: Any = display
        page = shown.HTML(snapshot(self.board, tail=self._tail))
        if self._handle is None:
            self._handle = shown.display(page, display_id=True)
        else:
            self._handle.update(page)


def view_of() -> FollowView:
    """The one that fits where we are."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    if hasattr(shell, "kernel"):
        return NotebookView()
    return TerminalView() if sys.stdout.isatty() else LinesView()


def headline(board: Board) -> str:
    """The run in one line."""
    run, counts = board.run, board.counts()
    done = sum(counts[state] for state in JOB_ENDS)
    reason = f" ({run.reason})" if run.reason else ""
    seconds = ((run.ended_at or datetime.now(UTC)) - run.created_at).total_seconds()
    line = f"{run.pipeline} {run.id}: {run.state}{reason}, {done} of {len(board.rows)} steps"
    return f"{line}, {seconds:.1f} s" if run.state in RUN_ENDS else f"{line}, {seconds:.0f} s"


def cleaned(line: str) -> str:
    """Without colours and control characters; of a line written over itself, what stayed."""
    return _CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2])


def _because(row: Row) -> str:
    return f" ({row.message})" if row.message and row.state not in JOB_GOOD_ENDS else ""


def _share(row: Row) -> str:
    return f" {100 * row.done / row.total:.0f} %" if row.done is not None and row.total else ""
