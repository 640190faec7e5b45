"""A slot as the engine sees it."""

from treadle.engine.local.attempt import RunningAttempt
from treadle.engine.local.forker import Forker
from treadle.engine.local.line import SlotLine
from treadle.engine.local.warm_slots import Key


class SlotHandle:
    """forker: whose slot it is; running: the attempt it performs; ending: asked to die; pid: known
    once it began a job."""

    __slots__ = (
        "_first_bytes", "_last_bytes", "born", "ending", "forker", "jobs", "key", "line", "number",
        "pid", "running",
    )  # fmt: skip

    def __init__(self, number: int, key: Key, line: SlotLine, forker: Forker, born: float) -> None:
        self.number, self.key, self.line, self.born = number, key, line, born
        self.forker = forker
        self.jobs = self._first_bytes = self._last_bytes = 0
        self.pid: int | None = None
        self.running: RunningAttempt | None = None
        self.ending = False

    def performed(self, resident_bytes: int) -> None:
        """A job is over; resident_bytes: what the process holds now."""
        self.jobs += 1
        self._first_bytes = self._first_bytes or resident_bytes
        self._last_bytes = resident_bytes

    @property
    def grown_bytes(self) -> int:
        """What it holds more than after its first job, which has imported what all need."""
        return self._last_bytes - self._first_bytes
