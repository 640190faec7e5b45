"""Groups of runs over HTTP, and a run's last metrics."""

import os

import flows


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
    ended = submitted(client, flows.sums, "a/b").wait()
    held = submitted(client, flows.holding, "a/b", gate=str(gate))
    next(iter(held.logs("hold", follow=True)))

    # When the group is asked for, by a name that has to be quoted in a path
    told = http.get("/groups/a%2Fb").json()

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
