"""The calls in a portal's loop that have not ended, so that closing their link can end them.

All of it happens in that loop's thread.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import anyio
from anyio.from_thread import BlockingPortal

from treadle.client.link import LAST_WORDS_SECONDS, closed


@dataclass(frozen=True, slots=True)
class _Call:
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)


_calls: WeakKeyDictionary[BlockingPortal, dict[int, _Call]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def call_of(portal: BlockingPortal) -> AsyncIterator[None]:
    """What is done meanwhile is cancelled by `end_calls`. Raises Unavailable then."""
    calls, task, call = _calls.setdefault(portal, {}), anyio.get_current_task().id, _Call()
    calls[task] = call
    try:
        with call.scope:
            yield
    finally:
        del calls[task]
        call.over.set()
    if call.scope.cancelled_caught:
        raise closed()


async def end_calls(portal: BlockingPortal) -> None:
    """Cancel all calls but the one that asks for it, and wait a little for their last words."""
    me = anyio.get_current_task().id
    others = [call for task, call in _calls.get(portal, {}).items() if task != me]
    for call in others:
        call.scope.cancel()
    with anyio.move_on_after(LAST_WORDS_SECONDS):
        for call in others:
            await call.over.wait()
