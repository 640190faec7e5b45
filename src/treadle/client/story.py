"""Server-sent events, told once each however often the connection is lost."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from treadle.client.wire import Wire


class Told(NamedTuple):
    """id: from where to go on after it; "" for news that is not told again. document: None where
    only the place is told, so that a quiet stream can be taken up where it was."""

    id: str
    document: Any


async def story(
    wire: Wire,
    path: str,
    after: str | None,
    is_over: Callable[[], Awaitable[bool]],
    **query: Any,
) -> AsyncIterator[list[Told]]:
    """Events in batches, as they arrive, from behind `after` on.

    is_over: asked where the stream ended as if there were no more: a proxy, or a server that is
    told to stop, may end it too.
    """
    backoff = wire.backoff()
    while True:
        try:
            async with wire.stream(path, backoff, after=after, **query) as answer:
                rest = b""
                async for part in answer.aiter_raw():
                    backoff.renew()
                    *blocks, rest = (rest + part).split(b"\n\n")
                    told = list(_told(blocks))
                    after = next((each.id for each in reversed(told) if each.id), after)
                    if events := [each for each in told if each.document is not None]:
                        yield events
            if await is_over() or not await backoff.pause():
                return
        except ConnectionResetError:
            continue


def _told(blocks: list[bytes]) -> Iterator[Told]:
    for block in blocks:
        fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n"))
        document = msgspec.json.decode(fields[b"data"]) if b"data" in fields else None
        yield Told(fields.get(b"id", b"").decode(), document)
