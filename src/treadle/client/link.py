"""How a client reaches its house; what `server` gives to the client."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from treadle.errors import Unavailable

if TYPE_CHECKING:
    import httpx
    from anyio.from_thread import BlockingPortal

T = TypeVar("T")


class Link(Protocol):
    """A road to one data directory or server, with an event loop in a thread of its own."""

    portal: "BlockingPortal"
    on_notice: Callable[[str], None]  #: told of the connection: lost, found again; in the loop

    @property
    def read_only(self) -> bool:
        """Nobody owns the data directory: nothing moves, and only reading is possible."""
        ...

    @property
    def inside_a_job(self) -> bool:
        """This process is a job of that very house: waiting there for a run may never end."""
        ...

    async def http(self) -> "httpx.AsyncClient":
        """The open connection; the same until restore() made another."""
        ...

    async def restore(self, broken: "httpx.AsyncClient") -> None:
        """Called when that connection failed: find the house again, or become its owner.

        Raises Unavailable when there is no way.
        """
        ...

    def close(self) -> None: ...


def blocking(
    portal: "BlockingPortal", fn: Callable[..., Coroutine[Any, Any, T] | Awaitable[T]], *args: Any
) -> T:
    """Run the coroutine function in the portal's loop and wait; an interrupt cancels it there.

    Raises Unavailable if the client was closed.
    """
    try:
        future = portal.start_task_soon(fn, *args)
    except RuntimeError as error:
        raise Unavailable("This client is closed.", hint="Connect again.") from error
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
