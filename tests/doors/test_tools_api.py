"""Tools and pipelines by name and version, over HTTP."""

import pytest

import flows
from samples import a_submission, a_tool
from treadle.model.records import Code
from treadle.model.wire import to_wire


def called(http, name, version, **fields):
    code = Code(kind="snapshot", digest="", entry="math:sqrt")
    tool = a_tool(name, id=f"{name}-{version}", version=version, code=code, **fields)
    answer = http.post("/calls", json={"tool": to_wire(tool), "arguments": {"x": ["value", 9]}})
    assert answer.status_code == 201
    return http.get(f"/jobs/{answer.json()['id']}", params={"wait": 30}).json()


@pytest.fixture(scope="module", autouse=True)
def tools(http):
    for name, version in (
        ("images/resize", "1"),
        ("images/resize", "2"),
        ("images/größe", "1"),
        ("versions/x/versions", "1"),
        ("wine", "3"),
    ):
        called(http, name, version, description=f"{name} {version}.")


def every(http, path, plural, **params):
    """All entries, page by page."""
    found, following = [], None
    while True:
        page = http.get(path, params={**params, "limit": 1, "before": following or ""}).json()
        assert len(page[plural]) <= 1
        found += page[plural]
        following = page["next"]
        if following is None:
            return found


def test_tools_are_listed_by_name_with_their_newest_version(http):
    (resize,) = http.get("/tools", params={"name": "images/r"}).json()["tools"]
    assert (resize["name"], resize["versions"]) == ("images/resize", 2)
    newest = resize["newest"]
    assert (newest["version"], newest["kind"]) == ("2", "function")
    assert newest["description"] == "images/resize 2."
    names = [each["name"] for each in every(http, "/tools", "tools")]
    assert names == sorted(names)
    assert {"images/größe", "images/resize", "versions/x/versions", "wine"} <= set(names)
    few = every(http, "/tools", "tools", name="images/")
    assert [each["name"] for each in few] == ["images/größe", "images/resize"]
    assert http.get("/tools", params={"name": "imagine"}).json() == {"tools": [], "next": None}


@pytest.mark.parametrize("path", ["/tools/images/resize", "/tools/images%2Fresize"])
def test_versions_of_a_tool_come_newest_first_a_page_at_a_time(http, path):
    assert [each["version"] for each in every(http, path, "versions")] == ["2", "1"]


def test_a_version_of_a_tool_is_told_whole_and_only_once(http):
    answer = http.get("/tools/images/resize/versions/1")
    told = answer.json()
    assert (told["id"], told["code"]["entry"]) == ("images/resize-1", "math:sqrt")
    again = http.get(
        "/tools/images/resize/versions/1", headers={"if-none-match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    other = http.get(
        "/tools/images/resize/versions/2", headers={"if-none-match": answer.headers["etag"]}
    )
    assert other.status_code == 200
    assert http.get("/tools/images/größe/versions/1").json()["name"] == "images/größe"
    odd = http.get("/tools/versions/x/versions/versions/1").json()
    assert odd["name"] == "versions/x/versions"


def test_a_definition_names_its_secrets_and_does_not_tell_them(http):
    secrets, secret = {"PASSWORD": "database"}, "hunter2"
    tool = a_tool("secretive", secrets=secrets)
    submission = to_wire(a_submission({"a": []}))
    submission["pipeline"]["tools"] = [to_wire(tool)]
    submission["pipeline"]["steps"][0]["tool_id"] = tool.id
    submission["secrets"] = {"database": secret}
    assert http.post("/runs", json=submission).status_code == 201
    answer = http.get("/tools/secretive/versions/1")
    assert answer.json()["secrets"] == secrets
    assert secret not in answer.text


@pytest.mark.parametrize(
    "path, hint",
    [
        ("/tools/images/resiz", "Did you mean 'images/resize'?"),
        ("/tools/wine/versions/9", ""),
        ("/pipelines/nothing-like-it", ""),
        ("/pipelines/sums/versions/nothing", ""),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(http, path, hint):
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["hint"] == hint


def test_pipelines_are_listed_with_their_last_run(client, http):
    runs = [client.run(flows.sums).wait() for _ in range(2)]
    (sums,) = http.get("/pipelines", params={"name": "sums"}).json()["pipelines"]
    assert (sums["versions"], sums["runs"]) == (1, 2)
    assert (sums["last_run"]["id"], sums["last_run"]["state"]) == (runs[-1].id, "completed")
    names = [each["name"] for each in every(http, "/pipelines", "pipelines")]
    assert names == sorted(set(names))


def test_a_version_of_a_pipeline_tells_the_steps_of_its_last_run(client, http):
    run = client.run(flows.sums).wait()
    (version,) = every(http, "/pipelines/sums", "versions")
    told = http.get(f"/pipelines/sums/versions/{version['version']}").json()
    assert told["last_run"]["id"] == run.id
    assert told["parameters_schema"]["type"] == "object"
    jobs = http.get(f"/runs/{run.id}").json()["jobs"]
    assert [step["name"] for step in told["steps"]] == [job["step"] for job in jobs]
    assert {step["tool"]["kind"] for step in told["steps"]} == {"function"}


def test_a_cursor_of_another_list_is_refused(http):
    following = http.get("/tools", params={"limit": 1}).json()["next"]
    answer = http.get("/pipelines", params={"before": following})
    assert answer.status_code == 400
    assert "of another list" in answer.json()["detail"]
    for text in ("x", "ä", "W10", "YWJj", "%00"):
        assert http.get(f"/tools?before={text}").status_code == 400
