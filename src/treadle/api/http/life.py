"""Whether the house takes new work: not before it has recovered, and not while it stops."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from treadle.errors import Unavailable
from treadle.interfaces import Clock, SystemClock


@dataclass(slots=True, kw_only=True)
class Life:
    """Where a house is between its start and its end."""

    clock: Clock = field(default_factory=SystemClock)
    phase: Literal["starting", "ready", "stopping"] = "starting"
    url: str | None = None  #: of the door that is open to others
    started_at: datetime | None = None
    stop_by: float = 0.0  #: monotonic; when a stopping house will be gone

    def start(self) -> None:
        self.phase, self.started_at = "ready", self.clock.now()

    def stop(self, grace_seconds: float) -> None:
        """Take nothing new any more; the rest ends within this time."""
        self.phase, self.stop_by = "stopping", self.clock.monotonic() + grace_seconds

    @property
    def uptime_seconds(self) -> float:
        now = self.clock.now()
        return (now - (self.started_at or now)).total_seconds()

    def check_takes_work(self) -> None:
        """Raises Unavailable, with the seconds after which asking again makes sense."""
        if self.phase != "stopping":
            return
        left = max(1, round(self.stop_by - self.clock.monotonic()) + 1)
        raise Unavailable(
            "The server is stopping and takes nothing new.",
            hint="Ask again when it has been started again.",
            retry_after_seconds=left,
        )
