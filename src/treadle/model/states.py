"""Every lawful move of a job and of a run; nothing else may change a state.

A job waits for its parents, is queued when they are done, is leased to an owner which prepares it
(finds code, environment and a slot), runs, and ends once. What can end it early:

- its own code or process: FAILED, or RETRIED (back to waiting, with backoff) while retries last;
- its surroundings: LOST (the owner, the engine or the node died): queued again, free of charge;
- a person: ABORT_REQUESTED. What never started is aborted at once. What started is `aborting`
  until its whole process tree is gone (GONE). An acknowledged abort beats a later completion, so
  `aborting` knows neither COMPLETED nor FAILED;
- its parents: SKIPPED, because one of them did not complete, or because a plan left it out.

REUSED is an end too: an earlier result serves. Every job has numbered attempts; the attempt grows
with LEASED and fences all that is written later. A run follows its jobs: it fails when one of them
failed, and is aborted only when none of them is under way any more.

The tables are the source of the diagrams in the documentation (`python -m treadle.model.states`)
and of the colours on screen.
"""

import sys
from enum import StrEnum
from typing import TypeVar

from treadle.errors import UnlawfulMove


class JobState(StrEnum):
    WAITING = "waiting"  # parents not done, backoff, or a limit: see `reason`
    QUEUED = "queued"  # may be leased
    PREPARING = "preparing"  # leased; code, environment and slot are being found
    RUNNING = "running"  # the user's code runs
    ABORTING = "aborting"  # asked to end; its process tree is not yet gone
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"
    SKIPPED = "skipped"
    REUSED = "reused"


class JobEvent(StrEnum):
    READY = "ready"  # parents done, limit or backoff over
    LEASED = "leased"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRIED = "retried"
    LOST = "lost"
    ABORT_REQUESTED = "abort_requested"
    GONE = "gone"
    SKIPPED = "skipped"
    REUSED = "reused"


class RunState(StrEnum):
    QUEUED = "queued"  # a limit of its pipeline holds it back
    RUNNING = "running"
    ABORTING = "aborting"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"


class RunEvent(StrEnum):
    ADMITTED = "admitted"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORT_REQUESTED = "abort_requested"
    GONE = "gone"


_J, _E = JobState, JobEvent
JOB_MOVES: dict[tuple[JobState, JobEvent], JobState] = {
    (_J.WAITING, _E.READY): _J.QUEUED,
    (_J.WAITING, _E.SKIPPED): _J.SKIPPED,
    (_J.WAITING, _E.REUSED): _J.REUSED,
    (_J.WAITING, _E.ABORT_REQUESTED): _J.ABORTED,
    (_J.QUEUED, _E.LEASED): _J.PREPARING,
    (_J.QUEUED, _E.SKIPPED): _J.SKIPPED,
    (_J.QUEUED, _E.ABORT_REQUESTED): _J.ABORTED,
    (_J.PREPARING, _E.STARTED): _J.RUNNING,
    (_J.PREPARING, _E.FAILED): _J.FAILED,
    (_J.PREPARING, _E.RETRIED): _J.WAITING,
    (_J.PREPARING, _E.LOST): _J.QUEUED,
    (_J.PREPARING, _E.ABORT_REQUESTED): _J.ABORTING,
    (_J.RUNNING, _E.COMPLETED): _J.COMPLETED,
    (_J.RUNNING, _E.FAILED): _J.FAILED,
    (_J.RUNNING, _E.RETRIED): _J.WAITING,
    (_J.RUNNING, _E.LOST): _J.QUEUED,
    (_J.RUNNING, _E.ABORT_REQUESTED): _J.ABORTING,
    (_J.ABORTING, _E.GONE): _J.ABORTED,
}

_R, _V = RunState, RunEvent
RUN_MOVES: dict[tuple[RunState, RunEvent], RunState] = {
    (_R.QUEUED, _V.ADMITTED): _R.RUNNING,
    (_R.QUEUED, _V.ABORT_REQUESTED): _R.ABORTED,
    (_R.RUNNING, _V.COMPLETED): _R.COMPLETED,
    (_R.RUNNING, _V.FAILED): _R.FAILED,
    (_R.RUNNING, _V.ABORT_REQUESTED): _R.ABORTING,
    (_R.ABORTING, _V.GONE): _R.ABORTED,
}

JOB_ENDS = frozenset({_J.COMPLETED, _J.FAILED, _J.ABORTED, _J.SKIPPED, _J.REUSED})
JOB_LEASED = frozenset({_J.PREPARING, _J.RUNNING, _J.ABORTING})  #: held by an owner
JOB_GOOD_ENDS = frozenset({_J.COMPLETED, _J.REUSED})  #: children may start
RUN_ENDS = frozenset({_R.COMPLETED, _R.FAILED, _R.ABORTED})


def advance_job(state: JobState, event: JobEvent) -> JobState:
    """The state after the event.

    Raises UnlawfulMove if JOB_MOVES has no such entry.
    """
    try:
        return JOB_MOVES[state, event]
    except KeyError:
        raise UnlawfulMove(f"a job that is {state} cannot take {event}") from None


def advance_run(state: RunState, event: RunEvent) -> RunState:
    """The state after the event.

    Raises UnlawfulMove if RUN_MOVES has no such entry.
    """
    try:
        return RUN_MOVES[state, event]
    except KeyError:
        raise UnlawfulMove(f"a run that is {state} cannot take {event}") from None


S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


def diagram(moves: dict[tuple[S, E], S], start: S) -> str:
    """The table as a mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {before} --> {after}: {event}" for (before, event), after in moves.items()]
    left = {before for before, _ in moves}
    ends = dict.fromkeys(after for after in moves.values() if after not in left)
    lines += [f"    {end} --> [*]" for end in ends]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(diagram(JOB_MOVES, JobState.WAITING) + "\n")
    sys.stdout.write(diagram(RUN_MOVES, RunState.QUEUED))
