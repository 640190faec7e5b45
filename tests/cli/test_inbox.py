"""Output of jobs, whenever it is announced: each line once, none left out."""

from datetime import UTC, datetime, timedelta

from treadle.cli.inbox import Inbox, Printed
from treadle.model.records import Event

LATER = datetime.now(UTC) + timedelta(hours=1)


class Logs:
    """A door to logs alone."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}  #: by attempt

    def log(self, job_id: str, attempt: int | None, offset: int, limit: int) -> tuple[bytes, int]:
        data = self.kept.get(attempt or max(self.kept), b"")
        return data[offset : offset + limit], len(data)


def told(logs: Logs, *kinds: str, at: datetime = LATER) -> list[str]:
    """The lines that a reader is told; "a.2" is the event a of attempt 2."""
    inbox = Inbox(logs, lambda door: None)  # type: ignore[arg-type]
    found: list[str] = []
    for kind in kinds:
        name, _, attempt = kind.partition(".")
        data = {"attempt": int(attempt)} if attempt else {}
        event = Event(
            cursor=0, stream="run_0", number=0, at=at, kind=f"job.{name}", job_id="job_0", data=data
        )
        for printed in inbox._output_of(event):
            assert isinstance(printed, Printed)
            found += printed.lines
    return found


def test_output_that_is_announced_after_the_end_is_told_whole():
    logs = Logs()
    logs.kept[1] = b"one\ntwo"
    assert told(logs, "leased.1", "started.1", "completed.1", "output") == ["one", "two"]


def test_output_that_is_announced_before_and_after_the_end_is_told_once():
    logs = Logs()
    logs.kept[1] = b"one\ntwo"
    kinds = ("leased.1", "started.1", "output", "completed.1", "output", "output")
    assert told(logs, *kinds) == ["one", "two"]


def test_output_of_what_ended_before_we_looked_is_told_once():
    logs = Logs()
    logs.kept[1] = b"one\n"
    kinds = ("leased.1", "started.1", "completed.1", "output")
    assert told(logs, *kinds, at=LATER - timedelta(days=1)) == ["one"]


def test_each_attempt_is_told_once():
    logs = Logs()
    logs.kept[1] = b"first\n"
    logs.kept[2] = b"second\n"
    kinds = ("leased.1", "started.1", "retried.1", "output")
    again = ("leased.2", "started.2", "output", "failed.2", "output")
    assert told(logs, *kinds, *again) == ["first", "second"]
