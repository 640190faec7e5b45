"""How a group of runs is shown while it is followed: a bar and a table, lines, or nothing."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from treadle.cli import keys, printing
from treadle.cli.fleet import Fleet
from treadle.client.progress import Uploading
from treadle.model.groups import Goal
from treadle.model.records import Job, Run
from treadle.model.states import JobState, RunState

REFRESH_SECONDS = 0.1
RESERVED_LINES = 5  #: of the terminal, for header, headings, notices
MOST_ROWS = 20
BAR_WIDTH = 30
MOST_METRICS = 4
ID_FROM_WIDTH = 100  #: columns of a terminal on which ids find room
_TOLD = (
    JobState.RUNNING,
    JobState.ABORTING,
    JobState.QUEUED,
    JobState.COMPLETED,
    JobState.FAILED,
    JobState.ABORTED,
)


class FleetView(Protocol):
    """Shows a group while it is followed; all calls come from one thread.

    silent: it shows nothing of what happens, so that nothing need be asked.
    """

    silent: bool

    def loading(self, fleet: Fleet) -> None:
        """Combinations are being read and checked."""
        ...

    def uploading(self, told: Uploading) -> None:
        """Their code is on its way."""
        ...

    def begun(self, fleet: Fleet) -> None:
        """One more run exists."""
        ...

    def ended(self, fleet: Fleet, runs: Sequence[Run]) -> None:
        """The fleet is up to date; these have ended since the last time."""
        ...

    def notice(self, text: str) -> None:
        """Something the user should know about the following itself."""
        ...

    def refresh(self, fleet: Fleet) -> None:
        """Draw again if it is time; called several times a second."""
        ...

    def close(self, fleet: Fleet) -> None:
        """Leave the screen in order."""
        ...


class QuietFleetView:
    """Shows nothing but notices, on stderr. Also what --json uses."""

    silent = True

    def loading(self, fleet: Fleet) -> None: ...

    def uploading(self, told: Uploading) -> None: ...

    def begun(self, fleet: Fleet) -> None: ...

    def ended(self, fleet: Fleet, runs: Sequence[Run]) -> None: ...

    def notice(self, text: str) -> None:
        printing.tell(text)

    def refresh(self, fleet: Fleet) -> None: ...

    def close(self, fleet: Fleet) -> None: ...


class PlainFleetView(QuietFleetView):
    """A line for each run that ended."""

    silent = False

    def __init__(self) -> None:
        self._began = time.monotonic()

    def begun(self, fleet: Fleet) -> None:
        if len(fleet.runs) == 1:
            printing.say(f"{fleet.name}  {counted(fleet.total)}")

    def ended(self, fleet: Fleet, runs: Sequence[Run]) -> None:
        names = fleet.varying()
        for run in runs:
            told = {name: run.parameters[name] for name in names if name in run.parameters}
            values = numbers(fleet.measured.get(run.id, {}))
            said = [printing.pairs(told), run.state.value, values or run.reason]
            seconds = time.monotonic() - self._began
            printing.say(f"{seconds:7.1f}s  {run.id}  {'  '.join(part for part in said if part)}")

    def notice(self, text: str) -> None:
        printing.say(f"{time.monotonic() - self._began:7.1f}s  {text}")


class LiveFleetView(QuietFleetView):
    """Draws at most ten times a second."""

    silent = False

    def __init__(self, console: Console, goal: Goal | None) -> None:
        self._console, self._goal = console, goal
        self._ascii = not console.encoding.lower().startswith("utf")
        self._live = Live(
            console=console, auto_refresh=False, transient=True, vertical_overflow="crop"
        )
        self._spinner = Spinner("line" if self._ascii else "dots")
        self._began = datetime.now(UTC)
        self._notices: list[str] = []
        self._drawn = 0.0
        self._open = False
        self._uploading: Uploading | None = None

    def loading(self, fleet: Fleet) -> None:
        self._begin()

    def uploading(self, told: Uploading) -> None:
        self._uploading = None if told.is_over else told

    def begun(self, fleet: Fleet) -> None:
        self._begin()

    def notice(self, text: str) -> None:
        self._notices.append(text)
        self._drawn = 0.0

    def refresh(self, fleet: Fleet) -> None:
        self._begin()
        if time.monotonic() - self._drawn >= REFRESH_SECONDS:
            self._live.update(self._picture(fleet), refresh=True)
            self._drawn = time.monotonic()

    def close(self, fleet: Fleet) -> None:
        """The table of the end takes the picture's place; where nobody prints one, it stays."""
        if self._open:
            self._open = False
            self._live.transient = fleet.is_over
            self._live.update(self._picture(fleet), refresh=True)
            self._live.stop()
            keys.show()

    def _begin(self) -> None:
        if not self._open:
            keys.hide()
            self._live.start()
            self._open = True

    def _picture(self, fleet: Fleet) -> RenderableType:
        notices = [Text(f"  {notice}", "yellow") for notice in self._notices[-2:]]
        if not fleet.runs:
            said = "loading"
            if fleet.total:
                said = f"checking the combinations: {fleet.loaded} of {fleet.total}"
            if (sent := self._uploading) is not None:
                said = f"uploading {printing.part(sent.done, sent.total)}"
            self._spinner.update(text=Text(f" {said}", "dim"))
            return Group(self._spinner, *notices)
        return Group(self._header(fleet), *notices, self._table(fleet))

    def _header(self, fleet: Fleet) -> RenderableType:
        total = max(fleet.total, len(fleet.runs))
        bar = ProgressBar(
            total=total, completed=fleet.ended, width=BAR_WIDTH, style="bright_black",
            complete_style="cyan", finished_style="green",
        )  # fmt: skip
        took = (datetime.now(UTC) - self._began).total_seconds()
        counts = fleet.counts()
        tally = Text("  ", no_wrap=True, overflow="ellipsis")
        for state in _TOLD:
            if counts[state]:
                tally.append(f"{counts[state]} {state}  ", printing.glyph(state)[1])
        grid = Table.grid(padding=(0, 1, 0, 0))
        said = Text(f"{fleet.ended}/{total}", "bold")
        grid.add_row(
            Text(fleet.name, "bold cyan"), bar, said, Text(printing.duration(took), "dim"), tally
        )
        return grid

    def _table(self, fleet: Fleet) -> RenderableType:
        room = max(3, min(MOST_ROWS, self._console.height - RESERVED_LINES))
        shown = fleet.most_telling(room, self._goal)
        names = fleet.varying()
        with_id = self._console.width >= ID_FROM_WIDTH
        drawn = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for heading in ("", *(["run"] if with_id else []), *names, "took", ""):
            drawn.add_column(heading, no_wrap=True, overflow="ellipsis")
        for run in shown:
            drawn.add_row(*self._cells(fleet, run, names, with_id=with_id))
        left = len(fleet.runs) - len(shown)
        more = [Text(f"... and {left} more", "dim")] if left > 0 else []
        return Group(drawn, *more)

    def _cells(
        self, fleet: Fleet, run: Run, names: Sequence[str], *, with_id: bool
    ) -> list[RenderableType]:
        state = fleet.state_of(run)
        mark, style = printing.glyph(state, ascii_only=self._ascii)
        quiet = "dim" if state is JobState.QUEUED else ""
        cells: list[RenderableType] = [Text(mark, style)]
        cells += [Text(run.id, "dim")] if with_id else []
        cells += [Text(short(run.parameters.get(name, "")), quiet) for name in names]
        took = printing.span(fleet.began.get(run.id), run.ended_at)
        return [*cells, Text(took, "dim"), self._note(fleet, run)]

    def _note(self, fleet: Fleet, run: Run) -> Text:
        """Last metrics, then why it failed or what it does."""
        text = Text(numbers(goal_first(fleet.measured.get(run.id, {}), self._goal)))
        text.no_wrap, text.overflow = True, "ellipsis"
        between = "  " if text.plain else ""
        if run.state is RunState.FAILED:
            text.append(between + run.reason, "red")
        elif jobs := fleet.active.get(run.id):
            text.append(between + _doing(jobs), "dim")
        return text


def fleet_view(*, quiet: bool, goal: Goal | None) -> FleetView:
    """The live view on a terminal, else plain lines."""
    if quiet:
        return QuietFleetView()
    console = printing.console()
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveFleetView(console, goal) if live else PlainFleetView()


def counted(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"


def short(value: object, *, most: int = 24) -> str:
    """A parameter for a narrow column."""
    text = printing.compact(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def numbers(metrics: Mapping[str, float], *, most: int = MOST_METRICS) -> str:
    """`accuracy=0.97 loss=0.1`."""
    shown = list(metrics.items())[:most]
    return " ".join(f"{name}={printing.number(value)}" for name, value in shown)


def goal_first(metrics: Mapping[str, float], goal: Goal | None) -> Mapping[str, float]:
    """The metric that counts before the others."""
    if goal is None or goal.metric not in metrics:
        return metrics
    return {goal.metric: metrics[goal.metric], **metrics}


def _doing(jobs: Sequence[Job]) -> str:
    """`train 3/10`, of the first step under way that tells its progress, and how many others."""
    job = max(jobs, key=lambda job: (job.progress_total is not None, job.step))
    said = job.step
    if job.progress_done is not None and job.progress_total:
        done, total = printing.number(job.progress_done), printing.number(job.progress_total)
        said += f" {done}/{total}"
    return said + (f" and {len(jobs) - 1} more" if len(jobs) > 1 else "")
