"""Who did what, for the administrator."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query
from treadle.api.http.audit_log import Entry, entries
from treadle.api.http.encode import json_response
from treadle.api.http.state import house_of


async def list_audit(request: Request) -> Response:
    """Requests that wrote something or were refused, newest first."""
    values, data_dir = query(request), house_of(request).data_dir
    page = await to_thread.run_sync(lambda: _page(data_dir, **values))
    limit = max(1, values["limit"])
    more, page = len(page) > limit, page[:limit]
    return json_response({"entries": page, "next": page[-1].id if more else None})


def _page(data_dir: Path, *, limit: int, before: str | None, user: str | None) -> list[Entry]:
    """One more than asked for, where there is one."""
    found: Iterator[Entry] = entries(data_dir)
    if before is not None:
        found = itertools.dropwhile(lambda each: each.id != before, found)
        next(found, None)
    if user is not None:
        found = (each for each in found if each.user == user)
    return list(itertools.islice(found, max(limit, 1) + 1))
