"""What every link is: a loop in a thread of this process, a connection in it, and an end.

A forked child has no such thread: links of its parent are let go of there, and it starts afresh.
"""

import contextlib
import logging
import os
import weakref
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import anyio
from anyio.from_thread import start_blocking_portal

from treadle.client.calls import end_calls
from treadle.client.link import blocking, closed

if TYPE_CHECKING:
    import httpx

    from treadle.client.progress import Uploading

PATIENCE_SECONDS = 60.0
log = logging.getLogger("treadle")


class Connected:
    """The life of a link; most of `treadle.client.link.Link`. All of it is in one thread's loop."""

    def __init__(self, *, fast_loop: bool = False) -> None:
        self.on_notice: Callable[[str], None] = log.warning
        self.on_uploading: Callable[[Uploading], None] = lambda told: None
        self.patience_seconds = PATIENCE_SECONDS
        self._http: httpx.AsyncClient | None = None
        self._pid, self._closed = os.getpid(), False
        self._stack = contextlib.ExitStack()
        self.portal = self._stack.enter_context(
            start_blocking_portal(backend_options={"use_uvloop": fast_loop}, name="treadle")
        )
        self._stack.enter_context(self.portal.wrap_async_context_manager(self._life()))
        alive.add(self)

    @contextlib.asynccontextmanager
    async def _life(self) -> AsyncIterator[None]:
        """What lives in the loop is a task of one group, which ends when closing is set."""
        self._closing, self._restoring = anyio.Event(), anyio.Lock()
        async with anyio.create_task_group() as self._rooms:
            yield

    @property
    def read_only(self) -> bool:
        return False

    @property
    def is_owner(self) -> bool:
        return False

    @property
    def inside_a_job(self) -> bool:
        return False

    async def http(self) -> "httpx.AsyncClient":
        if self._http is None:
            raise closed()
        return self._http

    def close(self) -> None:
        """Let go of the house; again is harmless."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        alive.discard(self)
        with self._stack:
            blocking(self.portal, self._leave)

    async def _leave(self) -> None:
        await end_calls(self.portal)  # the connection is theirs until they have ended
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()
        self._closing.set()

    def abandon(self) -> None:
        """In a forked child: let go of the parent's things, touch nothing else."""
        self._closed = True


alive: "weakref.WeakSet[Connected]" = weakref.WeakSet()
_abandoned: list[Connected] = []  # kept for ever: what a forked child must not finalise


def _forget_after_fork() -> None:
    for link in list(alive):
        link.abandon()
        _abandoned.append(link)
    alive.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
