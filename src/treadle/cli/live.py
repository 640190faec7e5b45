"""The live view of a run on a terminal: header, a row per step, output above."""

import re
import time
from collections import Counter
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from treadle.cli import keys, printing
from treadle.cli.views import QuietView, numbers
from treadle.client.board import MOST_ROWS, Board, Row
from treadle.client.progress import Uploading
from treadle.client.shape import NO_LINES, Lines
from treadle.model.pictures.folding import state_of
from treadle.model.pictures.gutter import Cells
from treadle.model.states import JOB_ENDS, JOB_GOOD_ENDS, JOB_LEASED, RUN_ENDS, JobState, RunState

REFRESH_SECONDS = 0.1
WIDTHS_PER_LINES = 4  #: lines before the rows take this part of the terminal at most
MOST_ACTIVE = 6  #: running steps shown below the counts
RESERVED_LINES = 4  #: of the terminal, for header and footer
BAR_WIDTH = 20
MOST_LINES_AT_ONCE = 1_000  #: of output between two drawings; older ones are left to the log

_STYLES = {
    RunState.COMPLETED: "green",
    RunState.FAILED: "bold red",
    RunState.ABORTED: "yellow",
    RunState.ABORTING: "yellow",
}
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|[\x00-\x08\x0b-\x1a\x1c-\x1f]")  #: not colours


class LiveView(QuietView):
    """Draws at most ten times a second, however many events come in between."""

    silent = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = not console.encoding.lower().startswith("utf")
        self._live = Live(
            console=console, auto_refresh=False, transient=False, vertical_overflow="crop"
        )
        self._board: Board | None = None
        self._doing: RenderableType = Text("")
        self._notices: list[str] = []
        self._lines: list[Text] = []
        self._dropped = 0
        self._drawn = 0.0
        self._open = False

    def loading(self, what: str) -> None:
        self._doing = Spinner("line" if self._ascii else "dots", Text(f" {what}", "dim"))
        self._begin()
        self.refresh()

    def uploading(self, what: str, told: Uploading) -> None:
        if isinstance(self._doing, Spinner):
            said = what if told.is_over else f"uploading {printing.part(told.done, told.total)}"
            self._doing.update(text=Text(f" {said}", "dim"))

    def start(self, board: Board) -> None:
        self._board = board
        self._begin()

    def _begin(self) -> None:
        if not self._open:
            keys.hide()
            self._live.start()
            self._open = True

    def output(self, row: Row, lines: list[str]) -> None:
        self._dropped += max(0, len(lines) + len(self._lines) - MOST_LINES_AT_ONCE)
        style = "dim red" if row.state is JobState.FAILED else "dim cyan"
        for line in lines[-MOST_LINES_AT_ONCE:]:
            text = Text.assemble((f"{row.step} | ", style))
            self._lines.append(text + Text.from_ansi(cleaned(line)))
        del self._lines[:-MOST_LINES_AT_ONCE]

    def notice(self, text: str) -> None:
        self._notices.append(text)
        self._drawn = 0.0

    def refresh(self) -> None:
        if self._open and time.monotonic() - self._drawn >= REFRESH_SECONDS:
            self._draw()

    def close(self) -> None:
        if self._open:
            self._doing, self._notices = Text(""), []
            self._draw()
            self._open = False
            self._live.stop()
            keys.show()

    def _draw(self) -> None:
        if self._dropped:
            text = f"... {self._dropped} lines are left out here; they are in the logs"
            self._lines.insert(0, Text(text, "dim"))
        if self._lines:
            self._console.print(Text("\n").join(self._lines), soft_wrap=True)
        self._lines, self._dropped = [], 0
        drawn = self._doing if self._board is None else self._picture(self._board)
        self._live.update(drawn, refresh=True)
        self._drawn = time.monotonic()

    def _picture(self, board: Board) -> RenderableType:
        now = datetime.now(UTC)
        room = max(3, self._console.height - RESERVED_LINES)
        few = len(board.rows) <= min(MOST_ROWS, room)
        parts: list[RenderableType] = [header(board, now)]
        parts.append(self._rows(board, now) if few else self._counts(board, now, room))
        parts += [Text(f"  {notice}", "yellow") for notice in self._notices[-2:]]
        return Group(*parts)

    def _rows(self, board: Board, now: datetime) -> Table:
        lines = self._lines_that_fit(board.lines)
        grid = _grid(lines.width)
        for row in board.rows.values():
            grid.add_row(*self._cells(board, row, now, lines))
        return grid

    def _lines_that_fit(self, lines: Lines) -> Lines:
        """The lines before the rows, if the terminal is wide enough for them and the rest."""
        return lines if lines.width <= self._console.width // WIDTHS_PER_LINES else NO_LINES

    def _mark(self, state: JobState, cells: Cells | None) -> Text:
        """The state's glyph, on its line."""
        mark, style = printing.glyph(state, ascii_only=self._ascii)
        if cells is None:
            return Text(mark, style)
        drawn = cells.plain() if self._ascii else cells
        return Text.assemble((f" {drawn.left}", "dim"), (mark, style), (drawn.right, "dim"))

    def _cells(
        self, board: Board, row: Row, now: datetime, lines: Lines = NO_LINES
    ) -> list[RenderableType]:
        waiting = row.state in (JobState.WAITING, JobState.SKIPPED)
        return [
            self._mark(row.state, lines.cells.get(row.job_id)),
            Text(row.step, "dim" if waiting else ""),
            Text(printing.duration(row.seconds(now)), "dim"),
            _bar(row) or Text(""),
            note(board, row),
        ]

    def _counts(self, board: Board, now: datetime, room: int) -> Group:
        most = max(2, room - MOST_ACTIVE)
        counted, lines = self._counted(board, most)
        grid = _grid(lines.width)
        for label, counts, key in counted[:most]:
            total, ended = counts.total(), sum(counts[state] for state in JOB_ENDS)
            mark = self._mark(state_of(counts) or JobState.WAITING, lines.cells.get(key))
            bar = _progress_bar(ended, total)
            said = Text(f"{ended}/{total}", justify="right")
            grid.add_row(mark, Text(label), said, bar, _tally(counts))
        active = _grid()
        for row in list(board.active.values())[: min(MOST_ACTIVE, max(0, room - len(counted)))]:
            active.add_row(*self._cells(board, row, now))
        return Group(grid, active)

    def _counted(
        self, board: Board, most: int
    ) -> tuple[list[tuple[str, Counter[JobState], str]], Lines]:
        """(label, counts, key of its lines) by groups of alike steps, or if there is no room for
        all of them, by tools.
        """
        if 0 < len(board.groups) <= most:
            found = [(each.label, each.counts, each.members[0]) for each in board.groups]
            return found, self._lines_that_fit(board.group_lines)
        return [(board.labels[tool], c, "") for tool, c in board.tools.items()], NO_LINES


def header(board: Board, now: datetime) -> Text:
    """Run id, pipeline, parameters, state and elapsed time on one line."""
    run = board.run
    elapsed = ((run.ended_at or now) - run.created_at).total_seconds()
    said = run.state.value + (f" ({run.reason})" if run.reason and not _over(run.state) else "")
    text = Text.assemble(
        (run.id, "bold"), "  ", (run.pipeline, "bold cyan"), "  ",
        (said, _STYLES.get(run.state, "cyan")), "  ", (printing.duration(elapsed), "dim"),
        (f"  {printing.pairs(run.parameters)}", "dim"),
    )  # fmt: skip
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def note(board: Board, row: Row) -> Text:
    """The last cell of a row: attempt, why it waits or failed, last metrics."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if row.attempt > 1:
        text.append(f"attempt {row.attempt}  ", "yellow")
    if row.metrics:
        text.append(numbers(row) + "  ")
    if row.message and row.state not in JOB_GOOD_ENDS:
        text.append(*_failed(row))
    elif why := board.waits_for(row):
        text.append(why, "dim")
    return text


def _failed(row: Row) -> tuple[str, str]:
    """(what is said of the last failure, its style)."""
    if row.state is JobState.FAILED:
        return row.message, "red"
    if row.state in (JobState.WAITING, JobState.QUEUED):
        return f"will be tried again after {row.message}", "yellow"
    return f"after {row.message}", "dim"


def cleaned(line: str) -> str:
    """A line of output without what moves the cursor; of `a\\rb`, what is seen in the end."""
    return _CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2])


def _grid(lines: int = 0) -> Table:
    """lines: how wide the lines before the rows are."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1 + (lines or 1), no_wrap=True, justify="left" if lines else "right")
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=32, min_width=8)
    grid.add_column(no_wrap=True, justify="right", min_width=6)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="ellipsis")  # may wrap, in rich's eyes: is narrowed before all others
    return grid


def _bar(row: Row) -> RenderableType | None:
    if row.done is None or row.state not in JOB_LEASED:
        return None
    if not row.total:
        return Text(printing.number(row.done))
    bar = _progress_bar(min(row.done, row.total), row.total)
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(bar, Text(f"{printing.number(row.done)}/{printing.number(row.total)}", "dim"))
    return grid


def _progress_bar(done: float, total: float) -> ProgressBar:
    return ProgressBar(
        total=total,
        completed=done,
        width=BAR_WIDTH,
        style="bright_black",
        complete_style="cyan",
        finished_style="green",
    )


def _tally(counts: dict[JobState, int]) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for state in (JobState.RUNNING, JobState.FAILED, JobState.ABORTED, JobState.SKIPPED):
        if counts[state]:
            text.append(f"{counts[state]} {state}  ", printing.glyph(state)[1])
    return text


def _over(state: RunState) -> bool:
    return state in RUN_ENDS
