"""Follow a group of runs to its end: one thread begins and asks, the main thread draws."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treadle.cli import printing
from treadle.cli.door import Door
from treadle.cli.fleet import Fleet
from treadle.cli.fleet_views import FleetView
from treadle.cli.follow import TICK_SECONDS, UNBEGUN_PATIENCE_SECONDS, show
from treadle.cli.reading import Finished, Notice, Reading
from treadle.cli.signals import Request, Signals
from treadle.client.progress import Uploading
from treadle.errors import Conflict, NotFound, TreadleError, Unavailable
from treadle.model.groups import Measured
from treadle.model.records import Run
from treadle.model.states import RUN_ENDS, RunState

if TYPE_CHECKING:
    from treadle.client.details import GroupDetail

LOOK_SECONDS = 0.25  #: between two looks at a group
PATIENCE = 10  #: a look that took long is followed by so many times as long a pause
MOST_MEASURED = 50  #: runs under way whose metrics are asked for at each look


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many of how many combinations have been read; name: of their group, once it is known."""

    done: int
    total: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """How the group stands."""

    detail: "GroupDetail"
    measured: Measured


Begun = Run | Loaded  #: what beginning tells on its way
BeginAll = Callable[[Door], Generator[Begun, None, None]]  #: load and submit, run by run
Message = Begun | Looked | Notice | Uploading | Finished | Request


@dataclass(slots=True)
class FleetOutcome:
    """left: not to the end, the terminal has gone."""

    fleet: Fleet = field(default_factory=lambda: Fleet(""))
    left: bool = False
    aborting: bool = False

    @property
    def exit_code(self) -> int:
        if self.left:
            return printing.HUNG_UP
        states = {run.state for run in self.fleet.runs.values()}
        was_cut_short = len(self.fleet.runs) < self.fleet.total or RunState.ABORTED in states
        if self.aborting and (was_cut_short or not states):
            return printing.INTERRUPTED
        if RunState.FAILED in states:
            return printing.FAILED
        return printing.INTERRUPTED if RunState.ABORTED in states else printing.OK


def follow_all(door: Door, begin: BeginAll, view: FleetView) -> FleetOutcome:
    """Begin the runs and show them until all have ended, or somebody has had enough.

    Raises what kept them from beginning.
    """
    reader = _Reader(door, begin, silent=view.silent)
    following = _Following(reader, view)
    with Signals(reader.send):
        try:
            reader.start()
            while not following.over:
                following.take(reader.get(TICK_SECONDS))
                show(view.refresh, following.outcome.fleet)
        finally:
            show(view.close, following.outcome.fleet)
    return following.outcome


class _Reader(Reading[Message]):
    """The thread's side. silent: nobody looks at what happens in between."""

    def __init__(self, door: Door, begin: BeginAll, *, silent: bool) -> None:
        super().__init__(door)
        self._begin, self._silent = begin, silent
        self._fleet = Fleet("")
        self._stopping = threading.Event()
        self._look_after = 0.0

    @property
    def after_leaving(self) -> str:
        return self._door.after_leaving

    def stop(self) -> None:
        """Begin no more, and abort what was begun; in a thread, for the owner may be busy."""
        self._stopping.set()
        threading.Thread(target=self._abort_all, name="treadle-abort", daemon=True).start()

    def _abort_all(self) -> None:
        for run in list(self._fleet.runs.values()):
            if run.state not in RUN_ENDS:
                with contextlib.suppress(Conflict, NotFound, Unavailable):  # ended, or forgotten
                    self._door.abort(run.id)

    def _read(self) -> None:
        self._begin_all()
        if self._stopping.is_set():
            self._abort_all()  # what was begun while the others were being aborted
        if self._silent:
            self._wait()
        self._look_until_over()

    def _begin_all(self) -> None:
        with contextlib.closing(self._begin(self._door)) as begun:
            for each in begun:
                self.send(each)
                if isinstance(each, Loaded):
                    self._fleet.name = each.name
                else:
                    self._fleet.begin(each)
                if self._stopping.is_set():
                    return
                if self._fleet.runs and not self._silent and time.monotonic() > self._look_after:
                    self._look()  # the first ones run already

    def _wait(self) -> None:
        for run_id in self._fleet.runs:
            self._door.wait(run_id)

    def _look_until_over(self) -> None:
        while self._fleet.runs:
            self._look()
            if self._fleet.is_over:
                return
            time.sleep(max(0.0, self._look_after - time.monotonic()))

    def _look(self) -> None:
        started = time.monotonic()
        detail = self._door.group(self._fleet.name)
        ended = self._fleet.tell(detail.runs, detail.active, {})
        wanted = [run.id for run in ended]
        wanted += [run_id for run_id in self._fleet.active if run_id in self._fleet.runs][
            :MOST_MEASURED
        ]
        self.send(Looked(detail, self._door.last_values(dict.fromkeys(wanted))))
        ended_at = time.monotonic()
        self._look_after = ended_at + max(LOOK_SECONDS, PATIENCE * (ended_at - started))


class _Following:
    """The main thread's side: what each message means."""

    def __init__(self, reader: _Reader, view: FleetView) -> None:
        self._reader, self._view = reader, view
        self._stop_before = float("inf")  #: give up then, if no run has begun
        self.outcome = FleetOutcome()
        self.over = False

    def take(self, message: Message | None) -> None:
        """Do what the message asks; None: nothing came for a while."""
        fleet = self.outcome.fleet
        match message:
            case None:
                self.over = not fleet.runs and time.monotonic() > self._stop_before
            case Request.LEAVE:
                self.outcome.left = self.over = True
            case Request.ABORT:
                self._abort()
            case Loaded():
                fleet.loaded, fleet.total, fleet.name = message.done, message.total, message.name
                show(self._view.loading, fleet)
            case Uploading():
                show(self._view.uploading, message)
            case Run():
                fleet.begin(message)
                show(self._view.begun, fleet)
            case Looked():
                fleet.began.update(message.detail.began)
                ended = fleet.tell(message.detail.runs, message.detail.active, message.measured)
                show(self._view.ended, fleet, ended)
            case Notice():
                show(self._view.notice, message.text)
            case Finished():
                self._finished(message.error)

    def _abort(self) -> None:
        self.outcome.aborting = True
        show(self._view.notice, f"aborting all; Ctrl-C again {self._reader.after_leaving}")
        self._stop_before = time.monotonic() + UNBEGUN_PATIENCE_SECONDS
        self._reader.stop()

    def _finished(self, error: BaseException | None) -> None:
        self.over = True
        begun = bool(self.outcome.fleet.runs)
        if error is not None and not (self.outcome.aborting and not begun):
            raise error


def named(error: TreadleError, combination: str) -> TreadleError:
    """The same error, saying which combination it is about."""
    error.message = f"with {combination}: {error.message}" if combination else error.message
    return error
