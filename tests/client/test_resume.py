"""Connections are cut and servers restarted; the client goes on where it was."""

import hashlib
import threading

import pytest

import flows
from cutting import proxy_to
from serving import running_server, start_server, stop_server
from treadle.client import Client
from treadle.errors import Busy, Unavailable
from treadle.model.states import RunState

MIB = 2**20


@pytest.fixture
def through(server, proxy):
    """A client whose way to the server is the proxy; what it was told of the connection."""
    with Client(proxy.url, server.token) as client:
        client.link.on_notice = lambda text: None
        yield client


def test_an_answer_that_was_lost_does_not_make_a_second_run(through, proxy):
    before = {run.id for run in through.runs()}
    # Given that the server accepts the run, and its answer is lost on the way
    submission = flows.sums.trace(start=3)
    through.submit(submission).wait()
    proxy.swallow()
    # When the client has sent it again
    run = through.submit(submission)
    # Then it exists once
    assert proxy.cuts == 1
    assert run.wait().output["first"] == 4
    assert len({found.id for found in through.runs()} - before) == 2
    # And so with a retry
    failed = through.run(flows.failing)
    proxy.swallow()
    again = failed.retry().wait()
    retries = [found.id for found in through.runs() if found.record.retry_of == failed.id]
    assert retries == [again.id]


def test_a_deletion_whose_answer_was_lost_is_done(through, proxy):
    run = through.run(flows.sums)
    proxy.swallow()
    run.delete()
    assert run.id not in [found.id for found in through.runs()]


def test_events_are_told_once_each_however_often_the_connection_is_cut(through, proxy):
    run = through.submit(flows.many, count=50)
    proxy.cut()
    proxy.cut_after = [3000, 5000, 4000]
    numbers = [event.number for event in run.events() if event.number]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 100
    assert proxy.cut_after == []


def test_events_of_all_runs_go_on_too(through, proxy):
    run = through.run(flows.sums)
    last = max(event.cursor for event in run.events())
    told = []
    news = through.events(since=last)
    second = through.submit(flows.many, count=20)
    for event in news:
        if event.number:
            told.append(event)
        if len(told) == 10:
            proxy.cut()
        if event.kind == "run.completed" and event.stream == second.id:
            break
    numbers = [event.number for event in told if event.stream == second.id]
    assert numbers == list(range(1, len(numbers) + 1))
    since = [e.stream for e in through.events(since=second.record.created_at, follow=False)]
    assert set(since) == {second.id}


def test_what_happens_while_a_quiet_stream_is_cut_is_told_too(through, proxy, server):
    # Given somebody who follows all runs from now on, and whose connection breaks before any event
    proxy.cut_behind = b"id: "
    told = []

    def follow():
        news = through.events()
        told.extend(next(news) for _ in range(2))
        news.close()

    following = threading.Thread(target=follow)
    following.start()
    assert proxy.shut.wait(20)
    # When something happens before it is there again
    with Client(server.url, server.token) as other:
        run = other.run(flows.sums)
    proxy.cut_behind = b""
    # Then it is told
    following.join(30)
    assert [(event.stream, event.number) for event in told] == [(run.id, 1), (run.id, 2)]


def test_a_followed_log_goes_on_where_it_was(through, proxy, gate):
    run = through.submit(flows.printing, gate=str(gate), parts=3)
    pieces = run["print_in_parts"].logs(follow=True)
    told = b""
    for part in range(3):
        gate.write_text("go")
        while told.count(b"\n") <= part:
            told += next(pieces)
        proxy.cut()
    told += b"".join(pieces)
    assert told.decode() == "".join(f"part {part} {'x' * 1000}\n" for part in range(3))


def test_a_download_goes_on_where_it_was_cut(through, proxy):
    # Given a result of many megabytes
    run = through.run(flows.noise, size=40 * MIB)
    passed = _count_bytes(through)
    # When the connection is cut in the middle of it
    proxy.cut()
    proxy.cut_after = [20 * MIB]
    found = run.output
    # Then it is whole, and its first half came once only
    assert found == hashlib.shake_128(b"seed").digest(40 * MIB)
    assert proxy.cut_after == []
    assert passed() < 42 * MIB


def _count_bytes(client):
    """How many bytes of answers the client reads from now on."""
    http = client.door(lambda api: api.wire.link.http())
    lengths = []

    async def count(response):
        lengths.append((response.status_code, int(response.headers.get("content-length", 0))))

    http.event_hooks["response"].append(count)

    def so_far():
        return sum(size for status, size in lengths if status == 206) + 20 * MIB

    return so_far


def test_an_upload_that_was_cut_is_sent_again(through, proxy, tmp_path):
    (tmp_path / "data.bin").write_bytes(b"x" * (6 * MIB))
    (tmp_path / "flow.py").write_text(
        "from pathlib import Path\nfrom treadle import pipeline, tool\n"
        "@tool\ndef size() -> int:\n    return Path('data.bin').stat().st_size\n"
        "@pipeline\ndef sized():\n    return size()\n"
    )
    proxy.swallow()
    assert through.run(tmp_path / "flow.py").output == 6 * MIB
    assert proxy.cuts == 1


def test_a_client_waits_for_a_server_that_is_started_again(tmp_path, gate):
    # Given a client that follows a run, and another that waits for it
    data_dir = tmp_path / "state"
    first = start_server(data_dir, "--slots", "2", STOP_GRACE="0s")
    port = first.url.rpartition(":")[2]
    notices = []
    with Client(first.url, first.token) as client, Client(first.url, first.token) as other:
        client.link.on_notice = notices.append
        other.link.on_notice = lambda text: None
        other.health()
        run = client.submit(flows.holding, gate=str(gate), value=5)
        events = run.events()
        next(event for event in events if event.kind == "job.started")
        ended = []
        waiting = threading.Thread(target=lambda: ended.append(other.get_run(run.id).wait()))
        waiting.start()
        # When the server is killed and another one takes its place
        first.process.kill()
        stop_server(first)
        with running_server(data_dir, "--slots", "2", "--port", port):
            told = [next(event for event in events if event.kind == "job.started")]
            gate.write_bytes(b"go")
            told += list(events)
            # Then both hear of the run's end, nothing twice, and the user was told once
            waiting.join()
            assert ended[0].state is RunState.COMPLETED
            assert told[-1].kind == "run.completed"
            numbers = [event.number for event in told if event.number]
            assert numbers == sorted(set(numbers))
            assert run.output == 5
            assert [text.rpartition(" is ")[2] for text in notices] == [
                "lost; trying again.",
                "back.",
            ]


def test_who_joined_a_server_waits_for_it_and_does_not_take_its_place(tmp_path, monkeypatch):
    import treadle

    data_dir = tmp_path / "state"
    monkeypatch.setenv("TREADLE_DATA_DIR", str(data_dir))
    first = start_server(data_dir, "--slots", "2")
    with treadle.connect() as client:
        notices = []
        client.link.on_notice = notices.append
        run = client.run(flows.sums)
        stop_server(first)
        asked = []
        asking = threading.Thread(target=lambda: asked.append(client.get_run(run.id).id))
        asking.start()
        with running_server(data_dir, "--slots", "2"):
            asking.join()
            assert asked == [run.id]
            assert not client.link.is_owner


def test_patience_ends(tmp_path):
    server = start_server(tmp_path / "state")
    with Client(server.url, server.token, patience_seconds=0.3) as client:
        client.link.on_notice = lambda text: None
        client.health()
        stop_server(server)
        with pytest.raises(Unavailable, match="went away and did not come back"):
            client.health()


def test_a_full_queue_is_waited_for_within_patience(tmp_path, gate):
    with running_server(tmp_path / "state", "--slots", "1", QUEUE_LIMIT="1") as server:
        with Client(server.url, server.token) as client:
            notices = []
            client.link.on_notice = notices.append
            held = client.submit(flows.holding, gate=str(gate))
            threading.Timer(0.2, gate.write_bytes, [b"go"]).start()
            assert client.run(flows.talking).state is RunState.COMPLETED
            assert held.wait().state is RunState.COMPLETED
            assert "Trying again in" in notices[0]
        with Client(server.url, server.token, patience_seconds=0.0) as hasty:
            held = hasty.submit(flows.holding, gate=str(gate))
            with pytest.raises(Busy):
                hasty.submit(flows.talking)
            gate.write_bytes(b"go")
            held.wait()


def test_a_proxy_that_cuts_everything_is_given_up(server):
    with proxy_to(server.url) as proxy, Client(proxy.url, server.token) as client:
        client.link.on_notice = lambda text: None
        client.health()
        client.link.patience_seconds = 0.3

        def always():
            while not done.is_set():
                proxy.swallow()

        done = threading.Event()
        cutting = threading.Thread(target=always)
        cutting.start()
        try:
            with pytest.raises(Unavailable):
                client.health()
        finally:
            done.set()
            cutting.join()
