"""The runs list over HTTP: filters, orders, pages."""

import pytest

from samples import a_submission
from treadle.model.wire import to_wire


def posted(http, name="listed", **labels):
    submission = a_submission({"a": []}, name=name, labels=labels)
    answer = http.post("/runs", json=to_wire(submission), params={"wait": 30})
    assert answer.status_code == 201
    return answer.json()


@pytest.fixture(scope="module")
def runs(http):
    """Six that failed, of two pipelines and three teams; oldest first."""
    return [posted(http, f"listed-{n % 2}", team=f"t{n % 3}", all="yes") for n in range(6)]


def ids(http, **params):
    return [run["id"] for run in http.get("/runs", params=params).json()["runs"]]


def every(http, **params):
    found, following = [], None
    while True:
        page = http.get("/runs", params={**params, "before": following or ""}).json()
        found += page["runs"]
        following = page["next"]
        if following is None:
            return [run["id"] for run in found]


@pytest.mark.parametrize("sort", ["-created", "created", "-ended", "ended"])
def test_pages_of_every_order_lead_through_all_runs_once(http, runs, sort):
    expected = [run["id"] for run in sorted(runs, key=lambda run: run[sort.strip("-") + "_at"])]
    found = every(http, label="all=yes", sort=sort, limit=2)
    assert found == (expected[::-1] if sort.startswith("-") else expected)


def test_a_page_that_ends_with_the_last_run_says_so(http, runs):
    assert http.get("/runs", params={"label": "all=yes", "limit": 6}).json()["next"] is None
    assert http.get("/runs", params={"label": "all=yes", "limit": 0}).json()["next"] is not None


def test_a_cursor_holds_while_runs_come_and_go(http, runs):
    gone = posted(http, all="yes")
    page = http.get("/runs", params={"label": "all=yes", "limit": 1}).json()
    assert [run["id"] for run in page["runs"]] == [gone["id"]]
    assert http.delete(f"/runs/{gone['id']}").status_code == 204
    newer = posted(http)
    following = ids(http, label="all=yes", before=page["next"])
    assert following == [run["id"] for run in reversed(runs)]
    assert newer["id"] not in following


@pytest.mark.parametrize(
    "params, expected",
    [
        ({"state": "failed"}, {0, 1, 2, 3, 4, 5}),
        ({"state": "completed,failed"}, {0, 1, 2, 3, 4, 5}),
        ({"state": ["completed", "failed"]}, {0, 1, 2, 3, 4, 5}),
        ({"state": "completed,running"}, set()),
        ({"pipeline": "listed-1"}, {1, 3, 5}),
        ({"label": "team=t0"}, {0, 3}),
        ({"label": ["team=t0", "all=yes"], "pipeline": "listed-1"}, {3}),
        ({"label": ["team=t0", "team=t1"]}, set()),
        ({"user": "owner"}, {0, 1, 2, 3, 4, 5}),
        ({"user": "nobody"}, set()),
        ({"group": "nothing"}, set()),
        ({"since": "2020-01-01"}, {0, 1, 2, 3, 4, 5}),
        ({"until": "2020-01-01T00:00:00Z"}, set()),
    ],
)
def test_filters_leave_out_what_does_not_fit_all_of_them(http, runs, params, expected):
    found = set(ids(http, **params, limit=1000)) & {run["id"] for run in runs}
    assert found == {runs[number]["id"] for number in expected}


def test_since_and_until_part_the_runs(http, runs):
    moment = runs[3]["created_at"]
    later = ids(http, label="all=yes", since=moment)
    earlier = ids(http, label="all=yes", until=moment)
    assert later == [run["id"] for run in reversed(runs[3:])]
    assert earlier == [run["id"] for run in reversed(runs[:3])]


@pytest.mark.parametrize("sort", ["created", "-ended", "ended"])
def test_a_cursor_of_another_order_is_refused(http, runs, sort):
    cursor = http.get("/runs", params={"limit": 1}).json()["next"]
    answer = http.get("/runs", params={"sort": sort, "before": cursor})
    assert answer.status_code == 400
    assert "of another list" in answer.json()["detail"]


def test_a_run_stands_for_its_place_in_the_order_of_creation(http, runs):
    found = ids(http, label="all=yes", before=runs[2]["id"])
    assert found == [runs[1]["id"], runs[0]["id"]]
    after = ids(http, label="all=yes", before=runs[3]["id"], sort="created")
    assert after == [runs[4]["id"], runs[5]["id"]]
    refused = http.get("/runs", params={"before": runs[3]["id"], "sort": "ended"})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    "text, says",
    [
        ("state=faild", "There is no state 'faild'"),
        ("state=failed,complted", "There is no state 'complted'"),
        ("sort=name", "There is no sort 'name'"),
        ("label=analyst", "expected key=value"),
        ("since=yesterday", "expected an ISO 8601 time"),
        ("limit=-1", "expected a whole number"),
        ("limit=1&limit=2", "given 2 times"),
        ("limt=1", "no parameter 'limt'"),
        ("before=x", "is no cursor"),
        ("pipeline=%00", "NUL"),
        ("label=a%00=b", "NUL"),
        ("&".join(f"label=k{n}=v" for n in range(30)), "At most 20 labels"),
    ],
)
def test_what_makes_no_sense_is_named(http, text, says):
    answer = http.get(f"/runs?{text}")
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    "text",
    [
        "pipeline=%ff%fe",
        "user=" + "x" * 10_000,
        "limit=99999999999999999999",
        "limit=9223372036854775807",
        "since=9999-12-31T23:59:59Z",
        "until=0001-01-01",
        "since=0001-01-01T00:00:00%2B14:00",
        "since=9999-12-31T23:59:59-14:00",
        "sort=ended&since=0001-01-01",
        "sort=-ended&until=9999-12-31",
        "group=%F0%9F%A6%86",
    ],
)
def test_what_is_strange_is_answered_or_refused(http, text):
    assert http.get(f"/runs?{text}").status_code in (200, 400)


def test_an_ended_run_need_not_be_told_twice(http, runs):
    path = f"/runs/{runs[0]['id']}"
    answer = http.get(path)
    etag = {"if-none-match": answer.headers["etag"]}
    again = http.get(path, headers=etag)
    assert (again.status_code, again.content) == (304, b"")
    assert http.get(path, params={"arguments": "true"}, headers=etag).status_code == 200
    assert http.get(f"/runs/{runs[1]['id']}", headers=etag).status_code == 200


def test_a_run_tells_the_tools_of_its_jobs(http, runs):
    told = http.get(f"/runs/{runs[0]['id']}").json()
    (tool,) = told["tools"].values()
    assert (tool["name"], tool["kind"]) == ("work", "function")
    assert {job["tool_id"] for job in told["jobs"]} == set(told["tools"])
