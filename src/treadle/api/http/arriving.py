"""The body of a request on its way to a thread that stores it.

The loop takes from the socket while the thread writes: a few batches wait between them.
"""

from collections.abc import AsyncIterator, Iterator

import anyio
from anyio import from_thread, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.requests import Request

from treadle.interfaces import BlobStore

BATCH_BYTES = 4 * 1024 * 1024  #: at least, so that few hops to the thread are needed
AHEAD = 2  #: batches that the socket may be ahead of the thread
Batch = list[bytes]


async def store(
    request: Request, blobs: BlobStore, limiter: anyio.CapacityLimiter
) -> tuple[str, int]:
    """Store the body as one blob; (digest, size in bytes). Nothing is left if the caller goes.

    Raises ClientDisconnect, StorageFull, Unavailable.
    """
    here, there = anyio.create_memory_object_stream[Batch](AHEAD)
    try:
        async with anyio.create_task_group() as both, there:
            both.start_soon(_pass_on, request, here)
            stored = await to_thread.run_sync(lambda: blobs.put(_arriving(there)), limiter=limiter)
    except BaseExceptionGroup as group:
        raise _cause(group) from None
    return stored


async def _pass_on(request: Request, stored: MemoryObjectSendStream[Batch]) -> None:
    """The empty batch at the end says that this was all: a caller who goes never gets there."""
    with stored:
        async for batch in batches(request):
            await stored.send(batch)
        await stored.send([])


def _arriving(stream: MemoryObjectReceiveStream[Batch]) -> Iterator[bytes]:
    """Raises EndOfStream when the caller has gone."""
    while batch := from_thread.run(stream.receive):
        yield from batch


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What one of the two came to; the other only noticed that it was alone."""
    _, causes = group.split((anyio.EndOfStream, anyio.BrokenResourceError))
    found: BaseException = causes or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


async def batches(request: Request) -> AsyncIterator[Batch]:
    """The body in batches of BATCH_BYTES and a little more; the last may be shorter."""
    batch: Batch = []
    size = 0
    async for chunk in request.stream():
        if chunk:
            batch.append(chunk)
            size += len(chunk)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
