"""The doors between a client's handles and the API's coroutines, which run in the link's loop.

There is one logic for both ways of calling: every verb of a client, a run or a step ends in one
call of its door, and whether that blocks or is to be awaited is the door's business.
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from treadle.client.link import Link, awaiting, blocking
from treadle.client.pulled import awaited, pulled

if TYPE_CHECKING:
    from treadle.client.api import Api

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V", contravariant=True)


class View(AbstractContextManager[Any], Protocol[V]):
    """Shows items while it is entered. tick_seconds: after so long without one it takes None."""

    tick_seconds: float

    def take(self, item: V | None) -> None: ...


class Door:
    """For plain threads: each call blocks, and gives the value."""

    blocks = True

    def __init__(self, link: Link) -> None:
        self.link = link

    @functools.cached_property
    def api(self) -> "Api":
        from treadle.client.api import Api  # noqa: PLC0415 - httpx, see wire

        return Api(self.link)

    @overload
    def __call__(self, fn: Callable[["Api"], Awaitable[T]]) -> T: ...
    @overload
    def __call__(self, fn: Callable[["Api"], Awaitable[T]], then: Callable[[T], U]) -> U: ...
    def __call__(self, fn: Any, then: Callable[[Any], Any] | None = None) -> Any:
        """fn(api), awaited in the link's loop; then, what needs no link, outside of it."""
        value = blocking(self.link.portal, self._call(fn))
        return value if then is None else then(value)

    def known(self, value: T) -> T:
        """A value that need not be asked for."""
        return value

    def pull(self, fn: Callable[["Api"], AsyncIterator[T]]) -> Iterator[T]:
        """Items of fn(api), as they come."""
        return pulled(self.link.portal, lambda: fn(self.api))

    def show(self, fn: Callable[["Api"], AsyncIterator[T]], view: "View[T]", then: U) -> U:
        """Show items of fn(api) here, where the caller is, and give a value when they end."""
        with view:
            for item in pulled(self.link.portal, lambda: fn(self.api), view.tick_seconds):
                view.take(item)
        return then

    def close(self) -> Any:
        self.link.close()

    def _call(self, fn: Callable[["Api"], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        async def call() -> T:
            return await fn(self.api)

        return call


class AwaitingDoor(Door):
    """For coroutines of asyncio: each call gives what is to be awaited, each stream `async for`."""

    blocks = False

    async def __call__(self, fn: Any, then: Callable[[Any], Any] | None = None) -> Any:  # type: ignore[override]
        value = await awaiting(self.link.portal, self._call(fn))
        return value if then is None else await in_thread(then, value)

    async def known(self, value: T) -> Any:  # type: ignore[override]
        return value

    def pull(self, fn: Callable[["Api"], AsyncIterator[T]]) -> Any:
        return awaited(self.link.portal, lambda: fn(self.api))

    async def show(  # type: ignore[override]
        self, fn: Callable[["Api"], AsyncIterator[T]], view: "View[T]", then: Any
    ) -> Any:
        with view:
            async for item in awaited(self.link.portal, lambda: fn(self.api), view.tick_seconds):
                view.take(item)
        return then

    async def close(self) -> None:
        await in_thread(self.link.close)


async def in_thread(fn: Callable[..., T], *args: Any) -> T:
    """What takes long, out of the way of the caller's loop."""
    from anyio import to_thread  # noqa: PLC0415 - `import treadle` inside a step comes past here

    return await to_thread.run_sync(fn, *args)
