"""How a client reaches its house; what `server` gives to the client, and `remote` makes itself."""

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from treadle.errors import Unavailable

if TYPE_CHECKING:
    import httpx
    from anyio.from_thread import BlockingPortal

    from treadle.client.progress import Uploading

T = TypeVar("T")
LAST_WORDS_SECONDS = 5.0  #: for what an interrupted call still has to do, such as to abort its run


class Link(Protocol):
    """A road to one data directory or server, with an event loop in a thread of its own."""

    portal: "BlockingPortal"
    on_notice: Callable[[str], None]  #: told what the user should know about the connection
    on_uploading: "Callable[[Uploading], None]"  #: told how far a bundle is, in the loop's thread
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


@dataclass(frozen=True, slots=True)
class Begun(Generic[T]):
    """A call in the portal's loop. over: done when it has really ended, also if cancelled."""

    future: "concurrent.futures.Future[T]"
    over: "concurrent.futures.Future[None]"


def begun(portal: "BlockingPortal", fn: Callable[..., Awaitable[T]], *args: Any) -> Begun[T]:
    """The coroutine function, begun in the portal's loop; cancelling the future cancels it there.

    Raises Unavailable if the client was closed, now or before it has ended.
    """
    from treadle.client.calls import call_of  # noqa: PLC0415 - `import treadle` inside a step

    over: concurrent.futures.Future[None] = concurrent.futures.Future()

    async def call() -> T:
        try:
            async with call_of(portal):
                return await fn(*args)
        finally:
            over.set_result(None)

    try:
        return Begun(portal.start_task_soon(call), over)
    except RuntimeError as error:
        raise closed() from error


def closed() -> Unavailable:
    """What is said to whoever uses a link that was closed."""
    return Unavailable("This client is closed.", hint="Connect again.")


def blocking(portal: "BlockingPortal", fn: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run the coroutine function in the portal's loop and wait.

    An interrupt cancels it there, and waits a little for its last words; another one does not.
    Raises Unavailable if the client was closed.
    """
    call = begun(portal, fn, *args)
    try:
        return call.future.result()
    except BaseException:
        if call.future.cancel():
            concurrent.futures.wait([call.over], LAST_WORDS_SECONDS)
        raise


async def awaiting(portal: "BlockingPortal", fn: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run the coroutine function in the portal's loop and await it from another loop, of asyncio.

    A cancellation passes through, as an interrupt does in `blocking`.
    """
    import anyio  # noqa: PLC0415 - `import treadle` inside a step comes past here

    call = begun(portal, fn, *args)
    try:
        return await asyncio.wrap_future(call.future)
    except asyncio.CancelledError:
        with anyio.move_on_after(LAST_WORDS_SECONDS, shield=True):
            await asyncio.wrap_future(call.over)
        raise
