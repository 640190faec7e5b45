"""Lines of a log in which a text occurs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import query, whole_id
from treadle.api.http.encode import json_response
from treadle.api.http.pages import cursor, place_of
from treadle.api.http.state import House, house_of
from treadle.errors import InvalidRequest
from treadle.model.records import Job

PIECE_BYTES = 256 * 1024  #: read and searched at a time; a longer line is searched in parts
MOST_PIECES = 400  #: in one answer: about 100 MB
SHOWN_CHARACTERS = 2000  #: of a line
LONGEST_TEXT = 1000
LONGEST_IN_ANY_CASE = 100  #: where letters beyond ASCII take long to compare


async def search_log(request: Request) -> Response:
    """Find the lines of a job's log in which a text occurs.

    Each with its number, from 1, and the byte at which it begins. `next` may follow a page that is
    not full, where the log is long.
    """
    values = query(request)
    text = values["text"] or ""
    if not text or len(text) > LONGEST_TEXT or "\n" in text:
        raise InvalidRequest(f"text: expected 1 to {LONGEST_TEXT} characters of one line.")
    looked_for = sought(text, ignore_case=values["ignore_case"])
    house, job_id = house_of(request), whole_id(request, "job")
    job = house.ledger.read(lambda books: books.job(job_id))
    attempt = max(job.attempt, 1) if values["attempt"] is None else values["attempt"]
    offset, line = _place(values["before"])
    search = Search(
        house=house,
        job=job,
        attempt=attempt,
        sought=looked_for,
        most=max(1, values["limit"]),
        offset=offset,
        line=line,
    )
    for _ in range(MOST_PIECES):
        await to_thread.run_sync(search.step)
        if search.ended or len(search.found) >= search.most:
            break
    following = None if search.ended else cursor("log", str(search.offset), str(search.line))
    return json_response({"lines": search.found, "next": following})


def _place(before: str | None) -> tuple[int, int]:
    """(byte, line)"""
    if before is None:
        return 0, 1
    parts = place_of(before, "log", 2)
    if not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        raise InvalidRequest(f"before={before[:80]!r} is no cursor.")
    return int(parts[0]), int(parts[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What finds a text in UTF-8. is_lowered: looked for in small letters, so that the text itself
    is compared, which takes the same time whatever a log holds."""

    pattern: re.Pattern[bytes]
    is_lowered: bool = False

    def places(self, block: bytes) -> Iterator[re.Match[bytes]]:
        """Where it begins, once in each line at most."""
        block, at = block.lower() if self.is_lowered else block, 0
        while match := self.pattern.search(block, at):
            yield match
            at = block.find(b"\n", match.end())
            if at < 0:
                return


def sought(text: str, *, ignore_case: bool) -> Sought:
    """Without regard to case, one letter for one. Raises InvalidRequest for what takes too long."""
    if not ignore_case:
        return Sought(pattern=re.compile(re.escape(text.encode())))
    if text.isascii():
        return Sought(pattern=re.compile(re.escape(text.lower().encode())), is_lowered=True)
    if len(text) > LONGEST_IN_ANY_CASE:
        raise InvalidRequest(
            f"text: at most {LONGEST_IN_ANY_CASE} characters, where not all are ASCII.",
            hint="Leave out ignore_case, or part of the text.",
        )
    letters = ({letter, letter.lower(), letter.upper()} for letter in text)
    ways = (b"|".join(re.escape(way.encode()) for way in sorted(each)) for each in letters)
    return Sought(pattern=re.compile(b"".join(b"(?:%s)" % way for way in ways)))


@dataclass(kw_only=True)
class Search:
    """A place in a log, at the beginning of a line, and what was found before it."""

    house: House
    job: Job
    attempt: int
    sought: Sought
    most: int
    offset: int
    line: int
    found: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False

    def step(self) -> None:
        """Search the next piece, to the end of its last line."""
        piece = self.house.logs.read(
            self.job.stream, self.job.id, self.attempt, offset=self.offset, limit=PIECE_BYTES
        )
        is_last = len(piece) < PIECE_BYTES
        size = len(piece) if is_last else (piece.rfind(b"\n") + 1 or len(piece))
        for start, stop, at in self._lines(piece[:size]):
            self.found.append(self._told(piece, start, stop, at))
            if len(self.found) == self.most:
                size = min(stop + 1, size)
                break
        self.line += piece.count(b"\n", 0, size)
        self.offset += size
        self.ended = is_last and size == len(piece)

    def _lines(self, block: bytes) -> Iterator[tuple[int, int, int]]:
        """(begin, end, where the text is) of each line that has it."""
        for match in self.sought.places(block):
            start = block.rfind(b"\n", 0, match.start()) + 1
            stop = block.find(b"\n", match.end())
            stop = len(block) if stop < 0 else stop
            yield start, stop, match.start()

    def _told(self, piece: bytes, start: int, stop: int, at: int) -> dict[str, Any]:
        """Of a long line, the part that has the text."""
        shown_from = start if at - start < SHOWN_CHARACTERS // 2 else at - SHOWN_CHARACTERS // 2
        text = piece[shown_from : min(stop, shown_from + SHOWN_CHARACTERS * 4)]
        return {
            "offset": self.offset + start,
            "line": self.line + piece.count(b"\n", 0, start),
            "text": text.decode("utf-8", "replace")[:SHOWN_CHARACTERS],
        }
