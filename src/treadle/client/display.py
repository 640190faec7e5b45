"""How a run looks in a notebook: plain HTML that is readable on light and on dark."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from treadle.client.board import Board, Row
from treadle.model.looks import LOOKS, Look
from treadle.model.states import JOB_ENDS, JOB_LEASED, JobState

MOST_ROWS = 50
MOST_LINES = 12  #: of output, the last ones
MOST_CHARACTERS = 200  #: of a message or a line
_CELL = "text-align:left;padding:1px 12px 1px 0"
_BAR = "display:inline-block;height:8px;border-radius:4px;background:rgba(128,128,128,.3)"


def snapshot(board: Board, *, tail: Iterable[tuple[str, str]] = ()) -> str:
    """Heading, bar, table of the steps, and the end of the output. tail: (step, line)."""
    rows = list(board.rows.values())
    shown = rows if len(rows) <= MOST_ROWS else _most_telling(rows)
    left = len(rows) - len(shown)
    return (
        f'<div class="treadle-run" style="font-size:90%">{_heading(board)}'
        f"<table><thead><tr>{_cells(('step', 'state', 'time', '', ''), 'th')}</tr></thead>"
        f"<tbody>{''.join(_row(board, row) for row in shown)}</tbody></table>"
        f"{f'<p>and {left} more steps</p>' if left else ''}{_tail(tail)}</div>"
    )


def _heading(board: Board) -> str:
    run, counts = board.run, board.counts()
    done = sum(counts[state] for state in JOB_ENDS)
    reason = f" ({escape(run.reason)})" if run.reason else ""
    seconds = ((run.ended_at or datetime.now(UTC)) - run.created_at).total_seconds()
    return (
        f"<p><b>{escape(run.pipeline)}</b> <code>{escape(run.id)}</code> "
        f"{_state(run.state)}{reason}, {done} of {len(board.rows)} steps, {_time(seconds)}<br>"
        f"{_bar(done, len(board.rows), _look(run.state), width=320)}</p>"
    )


def _most_telling(rows: list[Row]) -> list[Row]:
    """What runs or went wrong first, in its order; then the others."""
    telling = [row for row in rows if row.state in JOB_LEASED or row.state is JobState.FAILED]
    others = [row for row in rows if row not in telling]
    return (telling + others)[:MOST_ROWS]


def _row(board: Board, row: Row) -> str:
    seconds = row.seconds(datetime.now(UTC))
    share = ""
    if row.total and row.done is not None and row.state not in JOB_ENDS:
        share = _bar(row.done, row.total, LOOKS[JobState.RUNNING], width=100)
    cells = (
        escape(row.step),
        _state(row.state),
        "" if seconds is None else _time(seconds),
        share,
        escape(_said(board, row)[:MOST_CHARACTERS]),
    )
    return f"<tr>{_cells(cells)}</tr>"


def _said(board: Board, row: Row) -> str:
    """Why it failed, why it waits, or what it measured."""
    if row.message and row.state is not JobState.COMPLETED:
        return row.message
    if row.started_at is None:
        return board.waits_for(row)
    return ", ".join(f"{name} {value:.4g}" for name, value in row.metrics.items())


def _tail(tail: Iterable[tuple[str, str]]) -> str:
    lines = [escape(f"{step} | {line[:MOST_CHARACTERS]}") for step, line in tail]
    return f'<pre style="opacity:.8">{chr(10).join(lines)}</pre>' if lines else ""


def _look(state: str) -> Look:
    return LOOKS[JobState(state)]


def _state(state: str) -> str:
    """The word in the colour of the text, which fits the ground; its sign in that of the state."""
    look = _look(state)
    return f'<span style="color:{look.light}">{look.glyph}</span> {escape(state)}'


def _bar(done: float, total: float, look: Look, *, width: int) -> str:
    share = 100 * min(1.0, max(0.0, done / total)) if total else 100
    inner = f"{_BAR};background:{look.light};width:{share:.0f}%;vertical-align:top"
    return f'<span style="{_BAR};width:{width}px"><span style="{inner}"></span></span>'


def _cells(cells: Iterable[str], kind: str = "td") -> str:
    return "".join(f'<{kind} style="{_CELL}">{cell}</{kind}>' for cell in cells)


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.2f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
