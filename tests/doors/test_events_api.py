"""What happens, told to whoever wants to hear it: of a run, of a job, of all."""

import os

import pytest

import flows
from listening import listening, until


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def kinds(heard):
    return [each.kind for each in heard if each.id]


# of all runs and calls


def test_the_stream_of_all_begins_now_and_goes_on_from_the_id_of_any_event(client, http):
    client.run(flows.sums)
    with listening(http, "/events") as events:
        first, second = client.run(flows.sums), client.run(flows.talking)
        heard = [*until(events, "run.completed"), *until(events, "run.completed")]
    assert {each.event["stream"] for each in heard} == {first.id, second.id}
    assert [each.id for each in heard] == [str(each.event["cursor"]) for each in heard]
    assert heard[0].kind == "run.created"
    # A follower that lost its connection goes on where it was
    with listening(http, "/events", last_id=heard[3].id) as events:
        assert [next(events) for _ in heard[4:]] == heard[4:]
    with listening(http, "/events", after=heard[3].id) as events:
        assert [next(events) for _ in heard[4:]] == heard[4:]
    # A browser asks again at the address it began with
    with listening(http, "/events", after=heard[0].id, last_id=heard[3].id) as events:
        assert [next(events) for _ in heard[4:]] == heard[4:]


def test_the_stream_of_all_tells_what_was_before_when_asked_from_the_beginning(client, http):
    run = client.run(flows.sums)
    with listening(http, "/events", after=0, follow=False) as events:
        mine = [each.event["number"] for each in events if each.event["stream"] == run.id]
    assert mine == list(range(1, len(mine) + 1))
    with listening(http, "/events", follow=False) as events:
        assert run.id in {each.event["stream"] for each in events}


def test_a_listener_hears_only_the_kinds_that_it_asked_for(client, http):
    with listening(http, "/events", kind="run, job.failed") as events:
        client.submit(flows.failing).wait()
        client.run(flows.sums)
        heard = [*until(events, "run.failed"), *until(events, "run.completed")]
    assert {each.kind.split(".")[0] for each in heard if each.kind != "job.failed"} == {"run"}
    assert [each.kind for each in heard].count("job.failed") == 1
    run = client.run(flows.sums)
    with listening(http, f"/runs/{run.id}/events", kind="run") as events:
        assert kinds(events) == ["run.created", "run.completed"]


def test_a_listener_hears_only_of_the_pipeline_that_it_asked_for(client, http):
    with listening(http, "/events", pipeline="talking", user="owner") as events:
        client.run(flows.sums)
        run = client.run(flows.talking)
        heard = until(events, "run.completed")
    assert {each.event["stream"] for each in heard} == {run.id}
    with listening(http, "/events", user="nobody", after=0, follow=False) as events:
        assert list(events) == []


def test_the_stream_of_all_tells_of_progress_only_when_asked(client, http):
    with listening(http, "/events", transient=True) as events:
        client.run(flows.measuring)
        heard = until(events, "run.completed")
    assert {"job.metrics", "job.progress"} <= {each.kind for each in heard if not each.id}
    with listening(http, "/events", after=0, follow=False) as events:
        assert all(each.id for each in events)


def test_a_run_that_is_deleted_is_told_with_whose_it_was(client, http):
    run = client.run(flows.sums)
    with listening(http, "/events", kind="run.deleted") as events:
        http.delete(f"/runs/{run.id}")
        gone = next(events).event
    assert (gone["stream"], gone["data"]) == (run.id, {"pipeline": "sums", "user": "owner"})
    with listening(http, "/events", after=gone["cursor"] - 1, user="owner", follow=False) as told:
        assert [each.event for each in told] == [gone]


# of one run, of one job


def test_after_an_event_that_is_still_to_come_nothing_is_told_until_the_end(client, http, pipe):
    run = client.submit(flows.holding, gate=str(pipe))
    with listening(http, f"/runs/{run.id}/events", after=10**6) as events:
        until(events, "job.output")  # news has no number
        pipe.write_bytes(b"go")
        assert not [each for each in events if each.id]


def test_a_job_of_a_run_has_a_stream_that_ends_with_it(client, http, pipe):
    run = client.submit(flows.announcing, gate=str(pipe))
    job_id = run["hold"].job_id
    with listening(http, f"/jobs/{job_id}/events") as events:
        heard = until(events, "job.output")
        pipe.write_bytes(b"go")
        heard += events
    assert {each.event["job_id"] for each in heard} == {job_id}
    assert kinds(heard)[-1] == "job.completed"
    with listening(http, f"/jobs/{job_id}/events", last_id=heard[0].id) as events:
        assert kinds(events) == kinds(heard)[1:]


def test_what_a_job_prints_comes_with_its_place_in_the_log(client, http, pipe):
    run = client.submit(flows.announcing, gate=str(pipe))
    with listening(http, f"/runs/{run.id}/events") as events:
        heard = until(events, "job.output")
        pipe.write_bytes(b"go")
        heard += events
    holding, announced = [each.event for each in heard if each.kind == "job.output"]
    assert holding["data"] == {"attempt": 1, "offset": 0, "size": len("holding\n")}
    size = http.get(f"/jobs/{announced['job_id']}/log").headers["treadle-log-size"]
    assert announced["data"]["size"] == int(size)


def test_one_stream_can_carry_all_that_the_jobs_of_a_run_print(client, http):
    run = client.submit(flows.chattering, lines=300)
    path = f"/runs/{run.id}/events"
    for _ in ("while they print", "afterwards"):
        with listening(http, path, output=True) as told:
            heard = list(told)
        logs = {}
        for each in heard:
            data, job_id = each.event["data"], each.event["job_id"]
            if each.kind == "job.output":
                printed = logs.setdefault(job_id, b"")
                assert data["offset"] == len(printed)
                logs[job_id] = printed + data["text"].encode()
                assert data["size"] == len(logs[job_id])
            elif each.kind == "job.completed":
                assert logs[job_id] == http.get(f"/jobs/{job_id}/log").content
        assert len(logs) == 3
    # Who goes on from some place is told again what those printed that ended since
    done = [each for each in heard if each.kind == "job.completed"]
    with listening(http, path, last_id=done[1].id, output=True) as told:
        (piece,) = [each.event for each in told if each.kind == "job.output"]
    assert piece["job_id"] == done[2].event["job_id"]
    job_id = done[0].event["job_id"]
    with listening(http, f"/jobs/{job_id}/events", output=True) as told:
        assert [each.kind for each in told][-2:] == ["job.output", "job.completed"]


def test_of_much_that_is_printed_at_once_the_end_is_told_and_where_it_is(client, http):
    run = client.submit(flows.chattering, lines=20_000)
    with listening(http, f"/runs/{run.id}/events", output=True) as told:
        pieces = [each.event for each in told if each.kind == "job.output"]
    logs = {e["job_id"]: http.get(f"/jobs/{e['job_id']}/log").content for e in pieces}
    assert len(logs) == 3
    for event in pieces:
        data, log = event["data"], logs[event["job_id"]]
        assert 0 < data["size"] - data["offset"] <= 64 * 1024
        assert log[data["offset"] : data["size"]].decode() == data["text"]
    last = {event["job_id"]: event["data"]["size"] for event in pieces}
    assert last == {job_id: len(log) for job_id, log in logs.items()}


def test_who_comes_late_is_told_how_far_the_jobs_under_way_have_come(client, http, pipe):
    run = client.submit(flows.halfway, gate=str(pipe))
    with listening(http, f"/runs/{run.id}/events") as events:
        until(events, "job.progress")
        # When somebody else begins to listen now
        with listening(http, f"/runs/{run.id}/events") as late:
            heard = until(late, "job.progress")
            pipe.write_bytes(b"go")
            heard += late
    metrics = [
        m["value"] for e in heard if e.kind == "job.metrics" for m in e.event["data"]["metrics"]
    ]
    assert metrics == [0.5]
    assert kinds(heard)[-1] == "run.completed"


def test_asking_only_for_the_head_of_a_stream_does_not_wait(client, http, pipe):
    run = client.submit(flows.holding, gate=str(pipe))
    for path in (f"/runs/{run.id}/events", "/events"):
        answer = http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    pipe.write_bytes(b"go")
    run.wait()


@pytest.mark.parametrize(
    "path, headers, says",
    [
        ("/events?after=yesterday", {}, "expected the id of an event"),
        ("/events?after=-1", {}, "expected the id of an event"),
        ("/events", {"last-event-id": "9" * 30}, "Last-Event-ID"),
        ("/events?pipelines=x", {}, "has no parameter 'pipelines'. Did you mean 'pipeline'?"),
        ("/runs/latest/events?after=1e3", {}, "expected the id of an event"),
    ],
)
def test_a_place_that_is_none_is_refused(http, path, headers, says):
    answer = http.get(path, headers=headers)
    assert answer.status_code == 400
    assert says in answer.json()["detail"] + " " + answer.json()["hint"]


def test_there_is_no_stream_of_what_does_not_exist(http):
    for path in ("/runs/run_000000000000000000/events", "/jobs/job_000000000000000000/events"):
        assert http.get(path).status_code == 404
