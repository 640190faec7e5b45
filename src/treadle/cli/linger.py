"""What an owner does when its own run has ended while others have left theirs to it."""

from treadle.cli import printing
from treadle.cli.door import Door
from treadle.cli.signals import Request, Signals
from treadle.model.records import Run


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
