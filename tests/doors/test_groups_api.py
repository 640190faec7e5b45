"""Groups of runs over HTTP, and a run's last metrics."""

import os
from urllib.parse import quote

import pytest

import flows
from samples import a_submission
from treadle.model.wire import to_wire


def submitted(client, pipeline, group, **parameters):
    traced = pipeline.trace(**parameters)
    return client.options(group=group).submit(traced)


def test_groups_are_listed_newest_first_a_page_at_a_time(client, http):
    for group in ("first", "second", "second"):
        submitted(client, flows.sums, group).wait()

    page = http.get("/groups", params={"limit": 1}).json()
    (second,) = page["groups"]
    assert (second["name"], second["states"]) == ("second", {"completed": 2})
    assert second["pipelines"] == ["sums"]
    assert second["ended_at"] is not None
    following = http.get("/groups", params={"before": page["next"]}).json()
    assert [group["name"] for group in following["groups"]] == ["first"]


def test_a_group_tells_its_runs_and_what_is_under_way(client, http, tmp_path):
    # Given a run that holds at a gate, and one that has ended
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    ended = submitted(client, flows.sums, "held").wait()
    held = submitted(client, flows.holding, "held", gate=str(gate))
    next(iter(held.logs("hold", follow=True)))

    # When the group is asked for
    told = http.get("/groups/held").json()

    # Then runs come oldest first, with the job under way and when each began
    assert [run["id"] for run in told["runs"]] == [ended.id, held.id]
    assert [(job["run_id"], job["step"]) for job in told["active"]] == [(held.id, "hold")]
    assert set(told["began"]) == {ended.id, held.id}
    gate.write_text("go")
    held.wait()


def test_a_group_that_is_not_there_is_named_with_the_nearest(client, http):
    submitted(client, flows.sums, "learning-rates").wait()
    answer = http.get("/groups/learning-rate")
    assert answer.status_code == 404
    assert "Did you mean 'learning-rates'?" in answer.text


def test_the_last_metrics_are_one_for_each_name(client, http):
    run = client.run(flows.measuring, value=0.5)
    every = http.get(f"/runs/{run.id}/metrics").json()["metrics"]
    last = http.get(f"/runs/{run.id}/metrics", params={"last": "true"}).json()["metrics"]
    assert [(m["name"], m["value"]) for m in every] == [("loss", 0.5), ("loss", "inf")]
    assert [(m["name"], m["value"]) for m in last] == [("loss", "inf")]


@pytest.mark.parametrize("name", ["a/b", "größe 1", "a+b&c=d?e#f%2F", "/", "x" * 3000])
def test_a_group_may_have_any_name(http, name):
    run = http.post("/runs", json=to_wire(a_submission({"a": []}, labels={"group": name}))).json()
    told = http.get(f"/groups/{quote(name, safe='')}").json()
    assert [each["id"] for each in told["runs"]] == [run["id"]]
    listed = http.get("/runs", params={"group": name}).json()["runs"]
    assert [each["id"] for each in listed] == [run["id"]]


def test_the_runs_of_a_group_come_in_pages_with_their_jobs(http):
    submission = to_wire(a_submission({"a": []}, labels={"group": "paged"}))
    ids = [http.post("/runs", json=submission).json()["id"] for _ in range(3)]
    for run_id in ids:
        http.get(f"/runs/{run_id}", params={"wait": 30})
    first = http.get("/groups/paged", params={"limit": 2}).json()
    second = http.get("/groups/paged", params={"limit": 2, "before": first["next"]}).json()
    assert [run["id"] for run in first["runs"] + second["runs"]] == ids
    assert (set(first["began"]), set(second["began"])) == (set(ids[:2]), set(ids[2:]))
    assert second["next"] is None
    assert http.get("/groups/first", params={"before": first["next"]}).status_code == 400
