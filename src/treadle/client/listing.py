"""Lists that come in pages, read to their end."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from treadle.errors import InvalidRequest

T = TypeVar("T")
PAGE = 200  #: entries asked for at a time
Page = Callable[..., Awaitable[tuple[list[T], str | None]]]


async def all_pages(page: Page[T], query: Mapping[str, Any], limit: int | None) -> AsyncIterator[T]:
    """The entries of all pages, or the first of them. page: takes `before` and `limit`, too."""
    left, before = limit, query.get("before")
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        found, before = await page(**{**query, "before": before, "limit": size})
        for each in found:
            yield each
        left = None if left is None else left - len(found)
        if before is None:
            return


def wired(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they stand in a request."""
    return {name: _wired(name, value) for name, value in filters.items()}


def _wired(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidRequest(
                f"{name}: a time without its zone.", hint="Such as datetime.now(UTC)."
            )
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
