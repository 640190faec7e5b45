"""What many follow is read and encoded once, and nothing is queued for any of them."""

import json

import anyio
import pytest

from samples import NOW, HandClock
from treadle.api.http.diary import Reader, Subject
from treadle.api.http.events import as_lines, as_message
from treadle.api.http.feeds import KEPT_CHUNKS, Chunk, Feeds
from treadle.api.http.news import Archive, unfinished
from treadle.api.http.pacing import Bell, Pacer
from treadle.errors import Busy, Unavailable
from treadle.scheduler import Change, Watch
from treadle.storage.ledger.sqlite import SqliteLedger
from treadle.storage.logs import LogStore

pytestmark = pytest.mark.anyio
RUN = "run_1"


class Stage:
    """A diary that a test writes by hand, and the feed of those who follow it."""

    def __init__(self, tmp_path):
        self.ledger = SqliteLedger(tmp_path / "ledger.db")
        self.locked = 0  # reads that will fail
        self.archive = Archive(ledger=self, logs=LogStore(tmp_path / "logs"), clock=HandClock())
        self.watch, self.feeds, self.subject = Watch(), Feeds(most=1), Subject(stream=RUN)

    def read(self, fn):
        if self.locked:
            self.locked -= 1
            raise Unavailable("the ledger is locked")
        return self.ledger.read(fn)

    def reader(self, after=0):
        return Reader(self.archive, self.subject, after)

    def feed(self):
        return self.feeds.feed(self.watch, self.reader, self.subject)

    def write(self, kind="job.started", **data):
        self.ledger.write_now(lambda books: books.add_event(RUN, kind, NOW, "job_1", data))
        self.watch.publish([Change(RUN, "event", "job_1")])


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    stage.ledger.close()


async def until(feed, bell, sequence):
    while feed.sequence < sequence:
        await bell.wait()


def numbers(chunks, after=0):
    return [each.place for chunk in chunks for each in chunk.after(after)]


async def test_all_who_follow_get_the_very_same_bytes(stage):
    feed, bell = stage.feed(), Bell()
    feed.enter(bell)
    stage.write()
    await until(feed, bell, 1)
    first, second = feed.since(0), feed.since(0)
    assert first[0].encoded(as_lines) is second[0].encoded(as_lines)
    assert first[0].encoded(as_lines).startswith(b'id: 1\ndata: {"')
    (event,) = json.loads(first[0].encoded(as_message))["events"]
    assert (event["number"], event["kind"]) == (1, "job.started")
    feed.leave(bell)


async def test_what_happens_at_once_is_told_at_once(stage):
    feed, bell = stage.feed(), Bell()
    feed.enter(bell)
    for _ in range(10):
        stage.write()
    await until(feed, bell, 1)
    assert numbers(feed.since(0)) == list(range(1, 11))
    feed.leave(bell)


async def test_who_has_read_ahead_is_told_only_what_it_lacks(stage):
    feed, bell = stage.feed(), Bell()
    feed.enter(bell)
    for _ in range(5):
        stage.write()
    await until(feed, bell, 1)
    (chunk,) = feed.since(0)
    assert [numbers([chunk], after) for after in (0, 3, 5, 99)] == [
        [1, 2, 3, 4, 5],
        [4, 5],
        [],
        [],
    ]
    feed.leave(bell)


async def test_who_falls_too_far_behind_has_to_read_on_by_itself(stage):
    feed, bell = stage.feed(), Bell()
    feed.enter(bell)
    for sequence in range(1, KEPT_CHUNKS + 2):
        stage.write()
        await until(feed, bell, sequence)
    assert feed.since(0) is None
    assert numbers(feed.since(1)) == list(range(2, KEPT_CHUNKS + 2))
    assert feed.since(feed.sequence) == []
    feed.leave(bell)


async def test_a_feed_ends_with_the_last_who_follows_it(stage):
    feed, one, other = stage.feed(), Bell(), Bell()
    feed.enter(one)
    feed.enter(other)
    feed.leave(one)
    assert stage.feed() is feed
    feed.leave(other)
    again = stage.feed()
    assert again is not feed
    stage.write()
    again.enter(one)
    await until(again, one, 1)
    assert feed.sequence == 0
    again.leave(one)


async def test_a_feed_tells_the_end_and_that_there_is_no_more(stage):
    feed, bell = stage.feed(), Bell()
    feed.enter(bell)
    stage.write()
    stage.ledger.write_now(
        lambda books: books.add_event(RUN, "run.failed", NOW, None, {"state": "failed"})
    )
    await until(feed, bell, 1)
    assert feed.over
    assert numbers(feed.since(0)) == [1, 2]
    feed.leave(bell)


async def test_a_ledger_that_cannot_be_read_delays_the_news_and_loses_none(stage):
    feed, bell = stage.feed(), Bell()
    feed.enter(bell)
    stage.locked = 1
    stage.write()
    await until(feed, bell, 1)
    assert not stage.locked
    assert numbers(feed.since(0)) == [1]
    feed.leave(bell)


async def test_there_is_a_limit_to_those_who_follow(stage):
    with stage.feeds.seat():
        with pytest.raises(Busy) as refused, stage.feeds.seat():
            pass
        assert refused.value.details["retry_after_seconds"] > 0
    with stage.feeds.seat():
        assert stage.feeds.followers == 1


async def test_silence_is_broken_by_comments_and_by_the_place_in_the_stream_of_all(stage):
    assert Chunk(stage.reader().here()).encoded(as_lines) == b": still here\n\n"
    stage.subject = Subject()
    assert Chunk(stage.reader(7).here()).encoded(as_lines) == b"id: 7\n\n"
    assert Chunk(stage.reader(7).here()).encoded(as_message) == b""


async def test_a_pacer_acts_at_once_after_a_silence_and_waits_no_longer_for_what_is_urgent():
    acted = []
    done = anyio.Event()

    def act():
        acted.append(len(acted))
        done.set()

    pacer = Pacer(act, lambda: 3600.0)
    pacer.ask()
    pacer.ask()
    await done.wait()
    assert acted == [0]
    pacer.ask()  # would be in an hour
    done = anyio.Event()
    pacer.ask(urgent=True)
    await done.wait()
    assert acted == [0, 1]
    pacer.close()


async def test_a_bell_that_rang_before_anybody_waited_is_heard():
    bell = Bell()
    bell.ring()
    bell.ring()
    await bell.wait()
    with anyio.move_on_after(0.01) as scope:
        await bell.wait()
    assert scope.cancelled_caught


@pytest.mark.parametrize("text", ["", "a", "ü", "€", "😀", "x😀"])
def test_a_character_that_is_not_all_there_is_left_for_the_next_time(text):
    whole = f"ab{text}".encode()
    for size in range(len(whole) + 1):
        part = whole[:size]
        kept = part[: len(part) - unfinished(part)]
        assert whole.startswith(kept)
        assert f"ab{text}".startswith(kept.decode())
    assert unfinished(whole) == 0
    assert unfinished(b"\xff\x80\x80\x80") == 0
