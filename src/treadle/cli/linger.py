"""Runs that other processes have left: an owner finishes them; where there is none, they wait."""

from collections.abc import Sequence

from treadle.cli import printing
from treadle.cli.door import Door
from treadle.cli.signals import Request, Signals
from treadle.model.records import Run
from treadle.model.states import RUN_ENDS


def linger(door: Door) -> None:
    """As the owner, finish what other processes began here; an interrupt leaves it to them."""
    told: set[str] = set()

    def tell(runs: list[Run]) -> None:
        if not told:
            what = "a run" if len(runs) == 1 else f"{len(runs)} runs"
            printing.tell(f"finishing {what} of other processes; Ctrl-C leaves them to the next")
        told.update(run.id for run in runs)

    asked: list[Request] = []
    with Signals(asked.append):
        door.linger(tell, lambda: bool(asked))
        door.close()


_GOES_ON = "goes on with the next `treadle run`"


def tell_of_standing(runs: Sequence[Run]) -> None:
    """Say which of the runs wait for somebody to work on them, and who will. Nobody does now."""
    standing = [run for run in runs if run.state not in RUN_ENDS]
    if len(standing) == 1:
        (run,) = standing
        printing.tell(f"Run {run.id} is {run.state}, and nothing works on it now; it {_GOES_ON}.")
    elif standing:
        count = len(standing)
        printing.tell(f"Nothing works now on {count} runs that have not ended; each {_GOES_ON}.")
