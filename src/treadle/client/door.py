"""The one blocking door: coroutines of the API, called from plain threads."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from treadle.client.link import Link, blocking
from treadle.client.pulled import pulled

if TYPE_CHECKING:
    from treadle.client.api import Api

T = TypeVar("T")


class Door:
    """What the client and its handles share."""

    def __init__(self, link: Link) -> None:
        self.link = link

    @functools.cached_property
    def api(self) -> "Api":
        from treadle.client.api import Api  # noqa: PLC0415 - httpx, see wire

        return Api(self.link)

    def __call__(self, fn: Callable[["Api"], Awaitable[T]]) -> T:
        """fn(api), awaited in the link's loop."""

        async def call() -> T:
            return await fn(self.api)

        return blocking(self.link.portal, call)

    def pull(self, fn: Callable[["Api"], AsyncIterator[T]]) -> Iterator[T]:
        """Items of fn(api), as they come."""
        return pulled(self.link.portal, lambda: fn(self.api))
