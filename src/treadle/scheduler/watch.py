"""Who follows what. Followers are told that something changed and read it where it is kept.

Nothing is queued per follower but a set of names, so a slow one costs no memory.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol, Self

import anyio


class Change(NamedTuple):
    """Something new about a stream: a line in its diary, or of one job's output or figures."""

    stream: str  #: a run's id, or a job's when it has no run
    kind: Literal["event", "output", "metrics", "progress"]
    job_id: str | None = None

    @property
    def moved(self) -> str:
        """What an event is about: the job, or the run itself."""
        return self.job_id or self.stream


class Listener(Protocol):
    """Is told at once of each change, in the midst of other work: it may only take note."""

    def tell(self, change: Change) -> None: ...


class Subscription:
    """What changed for one follower since it last asked. Used as a context manager."""

    def __init__(self, watch: "Watch", stream: str | None, only: str | None) -> None:
        self._watch, self._stream, self._only = watch, stream, only
        self._changes: dict[Change, None] = {}
        self._wake = anyio.Event()

    def __enter__(self) -> Self:
        self._watch.add(self._stream, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.forget(self._stream, self)

    def tell(self, change: Change) -> None:
        if self._only is not None and (change.kind != "event" or change.moved != self._only):
            return
        self._changes[change] = None
        self._wake.set()

    async def changes(self) -> list[Change]:
        """Wait until there are any; each once, in order of first arrival."""
        await self._wake.wait()
        return self.pending()

    def pending(self) -> list[Change]:
        """Those there are now."""
        found, self._changes = list(self._changes), {}
        if self._wake.is_set():
            self._wake = anyio.Event()
        return found


class Watch:
    """The one place that knows the followers."""

    def __init__(self) -> None:
        self._by_stream: dict[str | None, set[Listener]] = {}

    def subscribe(self, stream: str | None, *, only: str | None = None) -> Subscription:
        """Follow one stream, or all (None). Enter it before reading, so that nothing is missed.

        only: be told of nothing but the moves of this run or job.
        """
        return Subscription(self, stream, only)

    def add(self, stream: str | None, listener: Listener) -> None:
        """Tell the listener of one stream, or of all (None), until it is forgotten."""
        self._by_stream.setdefault(stream, set()).add(listener)

    def forget(self, stream: str | None, listener: Listener) -> None:
        listeners = self._by_stream[stream]
        listeners.discard(listener)
        if not listeners:
            del self._by_stream[stream]

    def publish(self, changes: Iterable[Change]) -> None:
        if not self._by_stream:
            return
        everything = self._by_stream.get(None, ())
        for change in changes:
            for listener in (*self._by_stream.get(change.stream, ()), *everything):
                listener.tell(change)
