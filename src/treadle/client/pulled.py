"""An asynchronous stream, read from a plain thread."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from treadle.client.link import blocking

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

T = TypeVar("T")
BUFFER = 16  #: items that may wait; then the sender waits


def pulled(portal: "BlockingPortal", source: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
    """Items of source(), which runs in a task of the portal's loop until this is closed."""
    import anyio  # noqa: PLC0415 - `import treadle` inside a step comes past here

    send, receive = anyio.create_memory_object_stream[T](BUFFER)

    async def fill() -> None:
        async with send:
            async for item in source():
                await send.send(item)

    filling = portal.start_task_soon(fill)
    try:
        while True:
            try:
                item = blocking(portal, receive.receive)
            except anyio.EndOfStream:
                break
            yield item
        filling.result()
    finally:
        filling.cancel()
        receive.close()
        send.close()
