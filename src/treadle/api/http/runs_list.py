"""The runs list: what it may be asked for, and its pages."""

import re
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query
from treadle.api.http.encode import json_response, run_body
from treadle.api.http.operations import Query
from treadle.api.http.pages import cursor, page, place_of
from treadle.api.http.state import house_of
from treadle.errors import InvalidRequest
from treadle.interfaces import RunFilter
from treadle.model.groups import GROUP
from treadle.model.records import Run
from treadle.model.states import RunState

SORTS = ("-created", "created", "-ended", "ended")
MOST_LABELS = 20
FILTERS = (
    Query(
        name="state",
        text="Only runs in this state, or in one of several, with commas between them.",
        choices=tuple(state.value for state in RunState),
        several=True,
    ),
    Query(name="pipeline", text="Only runs of the pipeline of this name."),
    Query(name="label", text="Only runs with this label, as key=value; of several, with all.",
          several=True),
    Query(name="group", text="Only runs of this group."),
    Query(name="user", text="Only runs that this user asked for."),
    Query(name="since", text="Only runs created then or later.", kind="time"),
    Query(name="until", text="Only runs created before.", kind="time"),
    Query(
        name="sort",
        text="By what; with - the newest first. By their ends there are only runs that have one.",
        default="-created",
        choices=SORTS,
    ),
)  # fmt: skip
_RUN_ID = re.compile(r"run_[0-9a-z]{18}")


async def list_runs(request: Request) -> Response:
    """A page of the runs that fit all filters, the newest first unless another order is asked for.

    A run's id as `before` stands for its place in the order of creation.
    """
    values = query(request)
    limit, sort = max(1, values["limit"]), values["sort"]
    wanted = _filter(values, limit + 1)
    found = house_of(request).ledger.read(lambda books: books.runs(wanted))
    return json_response(page("runs", found, limit, lambda run: _cursor(sort, run), run_body))


def _filter(values: dict[str, Any], limit: int) -> RunFilter:
    before, ended = _place(values["before"], values["sort"])
    return RunFilter(
        states=values["state"],
        pipeline=values["pipeline"],
        labels=_labels(values),
        user=values["user"],
        since=values["since"],
        until=values["until"],
        sort="ended" if values["sort"].endswith("ended") else "created",
        oldest_first=not values["sort"].startswith("-"),
        before=before,
        before_ended_at=ended,
        limit=limit,
    )


def _labels(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for text in values["label"]:
        key, given, value = text.partition("=")
        if not given:
            raise InvalidRequest(f"label={text[:80]!r}: expected key=value.")
        found.append((key, value))
    if values["group"] is not None:
        found.append((GROUP, values["group"]))
    if len(found) > MOST_LABELS:
        raise InvalidRequest(f"At most {MOST_LABELS} labels can be asked for.")
    return tuple(found)


def _cursor(sort: str, run: Run) -> str:
    return cursor(sort, run.id, run.ended_at.isoformat() if run.ended_at else "")


def _place(before: str | None, sort: str) -> tuple[str | None, datetime | None]:
    """(run, when it ended)"""
    if before is None:
        return None, None
    if _RUN_ID.fullmatch(before) and sort.endswith("created"):
        return before, None
    run_id, ended = place_of(before, sort, 2)
    try:
        return run_id, datetime.fromisoformat(ended) if sort.endswith("ended") else None
    except ValueError:
        raise InvalidRequest(f"before={before[:80]!r} is no cursor.") from None
