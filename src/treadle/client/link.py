"""How a client reaches its house; what `server` gives to the client, and `remote` makes itself."""

import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from treadle.errors import Unavailable

if TYPE_CHECKING:
    import httpx
    from anyio.from_thread import BlockingPortal

T = TypeVar("T")
LAST_WORDS_SECONDS = 5.0  #: for what an interrupted call still has to do, such as to abort its run


class Link(Protocol):
    """A road to one data directory or server, with an event loop in a thread of its own."""

    portal: "BlockingPortal"
    on_notice: Callable[[str], None]  #: told what the user should know about the connection
    patience_seconds: float  #: how long what failed on the way is tried again

    @property
    def read_only(self) -> bool:
        """Nobody owns the data directory: nothing moves, and only reading is possible."""
        ...

    @property
    def is_owner(self) -> bool:
        """The house lives in this process, and ends with the link."""
        ...

    @property
    def inside_a_job(self) -> bool:
        """This process is a job of that very house: waiting there for a run may never end."""
        ...

    @property
    def peer(self) -> str:
        """Who is at the other end, as a sentence begins: "The server at https://box:8470"."""
        ...

    @property
    def advice(self) -> str:
        """What to look at when the other end does not answer; one sentence."""
        ...

    async def http(self) -> "httpx.AsyncClient":
        """The open connection; the same until restore() made another."""
        ...

    async def restore(self, broken: "httpx.AsyncClient", why: Exception) -> None:
        """Called when that connection failed: find the house again, or become its owner.

        Raises Unavailable when there is no way.
        """
        ...

    def close(self) -> None:
        """Let go; again is harmless."""
        ...


def started(
    portal: "BlockingPortal", fn: Callable[..., Coroutine[Any, Any, T] | Awaitable[T]], *args: Any
) -> "concurrent.futures.Future[T]":
    """The coroutine function, started in the portal's loop; cancelling the future cancels it.

    Raises Unavailable if the client was closed.
    """
    try:
        return portal.start_task_soon(fn, *args)
    except RuntimeError as error:
        raise Unavailable("This client is closed.", hint="Connect again.") from error


def blocking(
    portal: "BlockingPortal", fn: Callable[..., Coroutine[Any, Any, T] | Awaitable[T]], *args: Any
) -> T:
    """Run the coroutine function in the portal's loop and wait.

    An interrupt cancels it there, and waits a little for its last words; another one does not.
    Raises Unavailable if the client was closed.
    """
    over = threading.Event()

    async def call() -> T:
        try:
            return await fn(*args)
        finally:
            over.set()

    future = started(portal, call)
    try:
        return future.result()
    except BaseException:
        if future.cancel():
            over.wait(LAST_WORDS_SECONDS)
        raise
