"""Server-sent events as any program reads them."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Heard:
    """One event. id: "" for news."""

    id: str
    event: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.event["kind"]


def heard(answer: httpx.Response) -> Iterator[Heard]:
    """The events of a stream, as they come."""
    id_, data = "", ""
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            id_ = value
        elif name == "data":
            data += value
        elif not line:
            if data:
                yield Heard(id_, json.loads(data))
            id_, data = "", ""


@contextlib.contextmanager
def listening(
    http: httpx.Client, path: str, last_id: str = "", **params: Any
) -> Iterator[Iterator[Heard]]:
    """Follow the stream while inside."""
    headers = {"last-event-id": last_id} if last_id else {}
    with http.stream("GET", path, params=params, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield heard(answer)


def until(events: Iterator[Heard], kind: str) -> list[Heard]:
    """All up to the first of this kind."""
    found = []
    for each in events:
        found.append(each)
        if each.kind == kind:
            return found
    raise AssertionError(f"it ended before {kind}: {[each.kind for each in found]}")
