"""The OpenAPI document is valid, whole, and what the server answers is what it says."""

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

import flows
from samples import a_submission, a_tool
from treadle import errors
from treadle.api.http.openapi import document
from treadle.api.http.routes import OPERATIONS
from treadle.model.records import Code
from treadle.model.wire import to_wire

OVER_HTTP = [each for each in OPERATIONS if each.method != "WEBSOCKET"]
BODILESS = {"renew_snapshot", "get_openapi"}


@pytest.fixture(scope="module")
def described():
    return document()


def described_operations(described):
    return {
        each["operationId"]: each for path in described["paths"].values() for each in path.values()
    }


def test_the_document_is_valid(described):
    validate(described)


def test_every_operation_is_in_it_once(described):
    assert set(described_operations(described)) == {each.name for each in OVER_HTTP}


@pytest.mark.parametrize("each", OVER_HTTP, ids=lambda each: each.name)
def test_an_operation_says_what_it_takes_and_answers(described, each):
    found = described_operations(described)[each.name]
    assert found["summary"]
    assert (each.answer is None) == (each.status == 204)
    if each.writes and each.method != "DELETE" and each.name not in BODILESS:
        assert "requestBody" in found
    assert found["security"] == ([{"token": [each.scope]}] if each.scope else [])
    assert {one["name"] for one in found["parameters"] if one["in"] == "query"} == {
        one.name for one in each.query
    }


def test_every_code_of_an_error_is_in_it(described):
    codes = described["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert set(codes) == set(errors.codes())


def test_every_component_is_used_and_there(described):
    text = str(described)
    for name in described["components"]["schemas"]:
        assert f"#/components/schemas/{name}'" in text or name in ("Event", "EventsMessage")


def test_it_is_open_to_everybody_and_sent_once(http):
    answer = http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["openapi"] == "3.1.0"
    known = {"if-none-match": answer.headers["etag"]}
    assert http.get("/openapi.json", headers=known).status_code == 304


def strict(schema):
    """The schema, with no other properties than those it names."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(each) for name, each in schema.items()}
    if isinstance(found.get("properties"), dict) and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


@pytest.fixture(scope="module")
def conforms(described):
    """Check an answer against what the document says of it."""
    components = {"components": strict(described["components"])}

    def check(answer, operation):
        found = described_operations(described)[operation]
        content = found["responses"][str(answer.status_code)]["content"]
        media_type = answer.headers["content-type"].partition(";")[0]
        schema = strict(content[media_type]["schema"]) | components
        Draft202012Validator(schema).validate(answer.json())
        return answer.json()

    return check


def test_what_is_answered_about_runs_and_jobs_is_what_the_document_says(client, http, conforms):
    # Given a run that printed, measured and failed, and a call
    conforms(http.post("/runs", json=to_wire(a_submission({"a": [], "b": ["a"]}))), "post_run")
    run = client.run(flows.talking, text="well")
    job_id = run["announce"].job_id
    tool = to_wire(a_tool("sqrt", code=Code(kind="snapshot", digest="", entry="math:sqrt")))
    call = conforms(http.post("/calls", json={"tool": tool}), "post_call")
    # Then every answer about them is as described
    http.get("/runs/latest", params={"wait": 30})
    conforms(http.get("/runs/latest", params={"arguments": "true"}), "get_run")
    conforms(http.get("/runs"), "list_runs")
    conforms(http.get(f"/runs/{run.id}/metrics"), "get_metrics")
    for path, operation in [
        ("", "get_job"),
        ("?arguments=true", "get_job"),
        ("/report", "get_report"),
        ("/outputs", "list_outputs"),
        ("/metrics", "get_job_metrics"),
        ("/log/search?text=e", "search_log"),
    ]:
        conforms(http.get(f"/jobs/{job_id}{path}"), operation)
    conforms(http.get(f"/jobs/{call['id']}", params={"wait": 30}), "get_job")
    conforms(http.get("/jobs"), "list_jobs")


def test_what_is_answered_about_tools_and_pipelines_is_what_the_document_says(
    client, http, conforms
):
    client.run(flows.talking, text="well")
    tools = conforms(http.get("/tools"), "list_tools")["tools"]
    name, version = tools[0]["name"], tools[0]["newest"]["version"]
    conforms(http.get(f"/tools/{name}"), "get_tool")
    conforms(http.get(f"/tools/{name}/versions/{version}"), "get_tool_version")
    pipelines = conforms(http.get("/pipelines"), "list_pipelines")["pipelines"]
    name, version = pipelines[0]["name"], pipelines[0]["newest"]["version"]
    conforms(http.get(f"/pipelines/{name}"), "get_pipeline")
    conforms(http.get(f"/pipelines/{name}/versions/{version}"), "get_pipeline_version")


def test_what_is_answered_about_the_server_is_what_the_document_says(http, conforms):
    conforms(http.get("/health"), "health")
    conforms(http.get("/health/live"), "liveness")
    conforms(http.get("/health/ready"), "readiness")
    body = {"name": "ana", "scopes": ["run", "call:fit"], "expires_in_seconds": 60}
    conforms(http.post("/tokens", json=body), "post_token")
    conforms(http.get("/tokens"), "list_tokens")
    conforms(http.get("/audit"), "list_audit")
    conforms(http.post("/gc", json={"dry_run": True}), "post_gc")


def test_what_is_answered_about_bytes_is_what_the_document_says(http, stored, conforms):
    digest = stored(b"x = 1")
    conforms(http.put(f"/blobs/{digest}", content=b"x = 1"), "put_blob")
    conforms(http.post("/blobs", content=bytes(8)), "post_blobs")
    conforms(http.post("/blobs/missing", json={"digests": [digest]}), "missing_blobs")
    files = {"files": {"a.py": [digest, 5, 0o644]}}
    made = conforms(http.post("/snapshots", json=files), "post_snapshot")
    conforms(http.post(f"/snapshots/{made['digest']}"), "renew_snapshot")


def test_what_is_answered_about_groups_is_what_the_document_says(http, conforms):
    submission = a_submission({"a": []}, labels={"group": "described"})
    http.post("/runs", json=to_wire(submission), params={"wait": 30})
    conforms(http.get("/groups"), "list_groups")
    conforms(http.get("/groups/described"), "get_group")


@pytest.mark.parametrize(
    ("path", "operation", "status"),
    [("/runs?state=x", "list_runs", 400), ("/runs/run_no", "get_run", 404)],
)
def test_a_problem_is_what_the_document_says(http, conforms, path, operation, status):
    assert conforms(http.get(path), operation)["status"] == status


def test_a_word_of_ours_stands_for_no_digest(http):
    answer = http.put("/blobs/missing", content=b"x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
