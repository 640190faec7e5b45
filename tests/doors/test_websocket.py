"""The same events over WebSocket, as a browser follows them."""

import json
import os

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import flows
import treadle
from listening import listening


@pytest.fixture(scope="module")
def joined(server):
    with treadle.local(data_dir=server.data_dir) as client:
        yield client


def socket_at(server, path, **options):
    url = server.url.replace("http://", "ws://") + f"/api/v1{path}"
    headers = options.pop("additional_headers", server.headers)
    return connect(url, additional_headers=headers, proxy=None, **options)


def events_of(socket):
    """All events up to the end of the stream."""
    return [event for message in socket for event in json.loads(message)["events"]]


def test_a_websocket_tells_what_server_sent_events_tell_and_closes_in_good_order(
    server, owner, joined
):
    run = joined.run(flows.sums)
    with listening(owner, f"/runs/{run.id}/events") as events:
        told = [each.event for each in events]
    with socket_at(server, f"/runs/{run.id}/events") as socket:
        assert events_of(socket) == told
        assert socket.close_code == 1000
    with socket_at(server, f"/runs/{run.id}/events?after={len(told) - 1}") as socket:
        assert events_of(socket) == told[-1:]


def test_a_websocket_follows_a_run_while_it_goes_on(server, joined, tmp_path):
    pipe = tmp_path / "gate"
    os.mkfifo(pipe)
    run = joined.submit(flows.announcing, gate=str(pipe))
    with socket_at(server, f"/runs/{run.id}/events?output=true") as socket:
        kinds = []
        while "job.output" not in kinds:
            kinds += [event["kind"] for event in json.loads(socket.recv(30))["events"]]
        pipe.write_bytes(b"go")
        rest = events_of(socket)
    assert rest[-1]["kind"] == "run.completed"
    texts = [each["data"]["text"] for each in rest if each["kind"] == "job.output"]
    assert "to stderr" in "".join(texts)


def test_a_websocket_hears_of_all_runs(server, joined):
    with socket_at(server, "/events?kind=run") as socket:
        run = joined.run(flows.sums)
        heard = []
        while not heard or heard[-1]["kind"] != "run.completed":
            heard += json.loads(socket.recv(30))["events"]
    assert {each["stream"] for each in heard} == {run.id}


def test_a_websocket_of_a_job_ends_with_the_job(server, joined):
    run = joined.run(flows.talking)
    with socket_at(server, f"/jobs/{run['announce'].job_id}/events") as socket:
        assert events_of(socket)[-1]["kind"] == "job.completed"


def test_what_a_follower_says_is_not_listened_to(server, joined, tmp_path):
    pipe = tmp_path / "gate"
    os.mkfifo(pipe)
    run = joined.submit(flows.holding, gate=str(pipe))
    with socket_at(server, f"/runs/{run.id}/events") as socket:
        for noise in ("{", b"\0" * 1000, "x" * 1000):
            socket.send(noise)
        pipe.write_bytes(b"go")
        assert events_of(socket)[-1]["kind"] == "run.completed"


@pytest.mark.parametrize(
    "path, status, code",
    [
        ("/runs/run_000000000000000000/events", 404, "not_found"),
        ("/events?after=never", 400, "request.invalid"),
        ("/runs", 405, "method_not_allowed"),
    ],
)
def test_a_websocket_is_refused_with_a_problem_document(server, path, status, code):
    with pytest.raises(InvalidStatus) as refused:
        socket_at(server, path)
    answer = refused.value.response
    assert answer.status_code == status
    assert json.loads(answer.body)["code"] == code


def test_a_websocket_needs_a_token_too(server):
    with pytest.raises(InvalidStatus) as refused:
        socket_at(server, "/events", additional_headers={})
    assert refused.value.response.status_code == 401
