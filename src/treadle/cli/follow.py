"""Follow a run to its end: messages in, the view kept up to date, requests to stop obeyed."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from treadle.cli import printing
from treadle.cli.door import Door, Snapshot
from treadle.cli.inbox import Begin, Inbox, Measured, Message, Printed
from treadle.cli.live import LiveView
from treadle.cli.reading import Finished, Notice
from treadle.cli.signals import Request, Signals, silence
from treadle.cli.views import PlainView, QuietView, View
from treadle.client.board import Board
from treadle.client.progress import Uploading
from treadle.errors import Conflict, TreadleError, Unavailable
from treadle.model.records import Event, Run
from treadle.model.states import RunState

TICK_SECONDS = 0.1
UNBEGUN_PATIENCE_SECONDS = 2.0  #: how long a stop waits for a run that is just being submitted

SILENCE_SECONDS = 3.0  #: without a run, until it is said who else is at work
MOST_COUNTED = 100

EXIT_CODES = {
    RunState.COMPLETED: printing.OK,
    RunState.FAILED: printing.FAILED,
    RunState.ABORTED: printing.INTERRUPTED,
}


@dataclass(slots=True)
class Outcome:
    """run: None when it never began. left: not to the end, the terminal has gone."""

    run: Run | None = None
    left: bool = False
    aborting: bool = False

    @property
    def may_linger(self) -> bool:
        """It went its way; nobody asked us to stop."""
        return not (self.left or self.aborting)

    @property
    def exit_code(self) -> int:
        if self.left:
            return printing.HUNG_UP
        if self.run is None:
            return printing.INTERRUPTED
        return EXIT_CODES.get(self.run.state, printing.UNAVAILABLE)


def view_for(*, quiet: bool) -> View:
    """The live view on a terminal, else plain lines."""
    if quiet:
        return QuietView()
    console = printing.console()
    return (
        LiveView(console) if console.is_terminal and not console.is_dumb_terminal else PlainView()
    )


def follow(door: Door, begin: Begin, view: View, *, what: str) -> Outcome:
    """Begin the run and show it until it has ended, or somebody has had enough.

    what: said until the run exists. Raises what kept the run from beginning.
    """
    inbox = Inbox(door, begin, silent=view.silent)
    following = _Following(door, inbox, view, what)
    with Signals(inbox.send):
        try:
            show(view.loading, what)
            inbox.start()
            while not following.over:
                following.take(inbox.get(TICK_SECONDS))
                show(view.refresh)
        finally:
            show(view.close)
    return following.outcome


def show(draw: Callable[..., None], *what: Any) -> None:
    """Draw; a run goes on when nobody reads what it prints (`treadle run FILE | head`)."""
    try:
        draw(*what)
    except BrokenPipeError:
        silence()


class _Following:
    """The main thread's side: what each message means."""

    def __init__(self, door: Door, inbox: Inbox, view: View, what: str) -> None:
        self._door, self._inbox, self._view, self._what = door, inbox, view, what
        self._board: Board | None = None
        self._silent_until = time.monotonic() + SILENCE_SECONDS
        self._stop_before = float("inf")  #: give up then, if no run has begun
        self.outcome = Outcome()
        self.over = False

    def take(self, message: Message | None) -> None:
        """Do what the message asks; None: nothing came for a while."""
        match message:
            case None:
                self._wait_on()
            case Request.LEAVE:
                self.outcome.left = self.over = True
            case Request.ABORT:
                self._abort()
            case Run():
                self._begun(message)
            case Snapshot():
                self._board = Board(message.run, message.jobs, message.edges)
                show(self._view.start, self._board)
            case Measured():
                if self._board is not None:
                    self._board.measure(message.metrics)
            case Notice() | Uploading():
                self._say(message)
            case Finished():
                self._finished(message.error)
            case _:
                self._tell(message)

    def _say(self, told: Notice | Uploading) -> None:
        if isinstance(told, Notice):
            show(self._view.notice, told.text)
            return
        self._silent_until = time.monotonic() + SILENCE_SECONDS  # this is why it takes long
        show(self._view.uploading, self._what, told)

    def _wait_on(self) -> None:
        """While there is no run: give up after a request to stop; look once why it takes long."""
        if self.outcome.run is not None:
            return
        now = time.monotonic()
        self.over = now > self._stop_before
        if now > self._silent_until:
            self._silent_until = float("inf")
            threading.Thread(target=self._look_who_works, name="treadle-look", daemon=True).start()

    def _look_who_works(self) -> None:
        with contextlib.suppress(TreadleError):  # it is no more than a word on the side
            if runs := self._door.runs(limit=MOST_COUNTED, state=RunState.RUNNING.value):
                count = "a run is" if len(runs) == 1 else f"{len(runs)} runs are"
                why = f"it may wait for a slot: {count} at work (treadle ps --state running)"
                self._inbox.send(Notice(f"still {self._what}; {why}"))

    def _begun(self, run: Run) -> None:
        self.outcome.run = run
        if self.outcome.aborting:
            self._send_abort(run)

    def _tell(self, message: Event | Printed) -> None:
        board = self._board
        if board is None:
            return
        if isinstance(message, Printed):
            show(self._view.output, board.rows[message.job_id], message.lines)
        else:
            show(self._view.applied, message, board.apply(message))
            self.outcome.run = board.run

    def _abort(self) -> None:
        self.outcome.aborting = True
        show(self._view.notice, f"aborting; Ctrl-C again {self._door.after_leaving}")
        if self.outcome.run is None:
            self._stop_before = time.monotonic() + UNBEGUN_PATIENCE_SECONDS
        else:
            self._send_abort(self.outcome.run)

    def _send_abort(self, run: Run) -> None:
        """In a thread: the owner may be busy, and the view goes on."""

        def ask() -> None:
            try:
                self._door.abort(run.id)
            except Conflict:
                return  # it has ended
            except Unavailable as error:
                self._inbox.send(Notice(f"cannot abort: {error.message}"))

        threading.Thread(target=ask, name="treadle-abort", daemon=True).start()

    def _finished(self, error: BaseException | None) -> None:
        self.over = True
        if error is not None and not (self.outcome.aborting and self.outcome.run is None):
            raise error
        if self.outcome.run is not None and error is None:
            self.outcome.run = self._door.run(self.outcome.run.id)
