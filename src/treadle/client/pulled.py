"""An asynchronous stream of the link's loop, read from a plain thread, or from another loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from treadle.client.link import awaiting, begun, blocking

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

T = TypeVar("T")
BUFFER = 64  #: items that may wait; then the sender waits


class Flow(Generic[T]):
    """Items of source(), which runs in a task of the portal's loop until this is closed.

    tick_seconds: after so long without an item, one that is None; the items are none then.
    """

    def __init__(
        self,
        portal: "BlockingPortal",
        source: Callable[[], AsyncIterator[T]],
        tick_seconds: float | None = None,
    ) -> None:
        import anyio  # noqa: PLC0415 - `import treadle` inside a step comes past here

        self._source, self._tick_seconds = source, tick_seconds
        self._send, self._receive = anyio.create_memory_object_stream[T](BUFFER)
        self.filling = begun(portal, self._fill).future

    async def _fill(self) -> None:
        async with self._send:
            async for item in self._source():
                await self._send.send(item)

    async def next(self) -> list[T]:
        """What has come since, at least one; nothing at the end: then `filling` says why."""
        import anyio  # noqa: PLC0415 - as above

        found: list[Any] = []
        with anyio.move_on_after(self._tick_seconds) as waiting:
            try:
                found.append(await self._receive.receive())
                while self._receive.statistics().current_buffer_used:
                    found.append(self._receive.receive_nowait())
            except anyio.EndOfStream:
                return []
        if waiting.cancelled_caught:
            found.append(None)
        return found

    def close(self) -> None:
        self.filling.cancel()
        self._receive.close()
        self._send.close()


def pulled(
    portal: "BlockingPortal",
    source: Callable[[], AsyncIterator[T]],
    tick_seconds: float | None = None,
) -> Iterator[T]:
    """For a plain thread."""
    flow = Flow(portal, source, tick_seconds)
    try:
        while found := blocking(portal, flow.next):
            yield from found
        flow.filling.result()
    finally:
        flow.close()


async def awaited(
    portal: "BlockingPortal",
    source: Callable[[], AsyncIterator[T]],
    tick_seconds: float | None = None,
) -> AsyncIterator[T]:
    """For another loop."""
    flow = Flow(portal, source, tick_seconds)
    try:
        while found := await awaiting(portal, flow.next):
            for item in found:
                yield item
        await asyncio.wrap_future(flow.filling)
    finally:
        flow.close()
