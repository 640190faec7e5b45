"""NULs, lone surrogates and names that nothing could show, over HTTP."""

import json

import pytest

from samples import a_submission, a_tool
from treadle.model.records import Code
from treadle.model.wire import to_wire

TOOL = to_wire(a_tool("sqrt", code=Code(kind="snapshot", digest="", entry="math:sqrt")))


def changed(document, place, value):
    """The document with another value at a dotted place."""
    document = json.loads(json.dumps(document))
    *path, last = [int(part) if part.isdecimal() else part for part in place.split(".")]
    at = document
    for part in path:
        at = at[part]
    at[last] = value
    return document


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize(
    "place",
    [
        "pipeline.name",
        "pipeline.description",
        "pipeline.tools.0.name",
        "pipeline.tools.0.code.entry",
        "pipeline.tools.0.environment.python",
        "pipeline.steps.1.name",
        "labels.team",
        "secrets.key",
    ],
)
def test_a_submission_with_text_that_nothing_can_keep_is_refused(http, place, text):
    wire = to_wire(a_submission({"a": [], "b": []}, labels={"team": "x"}))
    body = json.dumps(changed(wire | {"secrets": {"key": "x"}}, place, text))
    answer = http.post("/runs", content=body)
    assert answer.status_code in (400, 422), answer.text


def test_a_value_may_hold_a_nul(http):
    wire = changed(to_wire(a_submission({"a": []})), "pipeline.steps.0.arguments.name.1", "a\0b")
    wire["parameters"] = {"text": "\0"}
    run = http.post("/runs", json=wire)
    assert run.status_code == 201
    assert run.json()["parameters"] == {"text": "\0"}


@pytest.mark.parametrize("name", ["", "a\nb", "\x7f", "x" * 1001])
@pytest.mark.parametrize(
    "place", ["pipeline.name", "pipeline.version", "pipeline.tools.0.name", "pipeline.steps.1.name"]
)
def test_a_name_can_be_shown(http, place, name):
    wire = to_wire(a_submission({"a": [], "b": []}))
    answer = http.post("/runs", json=changed(wire, place, name))
    assert answer.status_code == 422
    assert "1 to 1000 characters" in answer.json()["detail"]
    call = {"tool": changed(TOOL, "name", name), "arguments": {}}
    assert http.post("/calls", json=call).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/runs/%00",
        "/runs/%ff",
        "/jobs/a%00b/log",
        "/groups/%00",
        "/tools/%ff%fe",
        "/tools/x%0ay/versions/1",
        "/pipelines/%00/versions/%00",
        "/jobs/x/outputs/%00",
        "/blobs/%00",
        "/jobs?run=%00",
        "/tools?name=%00",
        "/runs/" + "x" * 5000,
    ],
)
def test_a_path_of_strange_text_leads_nowhere(http, path):
    assert http.get(path).status_code in (400, 404)


@pytest.mark.parametrize("depth", [400, 940, 950, 960, 970, 980, 990, 1000, 100_000])
def test_json_that_is_nested_without_end_is_refused(http, depth):
    nested = "[" * depth + "]" * depth
    answer = http.post("/calls", content=f'{{"tool": "none", "arguments": {{"x": {nested}}}}}')
    assert answer.status_code in (400, 422), answer.text
    call = json.dumps({"tool": TOOL, "arguments": {"x": ["value", "?"]}}).replace('"?"', nested)
    answer = http.post("/calls", content=call)
    assert answer.status_code in (400, 422), answer.text
    yaml = f"name: deep\nsteps:\n  a:\n    command: [echo]\n    parameters: {{x: {nested}}}\n"
    answer = http.post("/runs", content=yaml, headers={"content-type": "application/yaml"})
    assert answer.status_code in (400, 422), answer.text[:500]


def test_what_is_nested_less_is_taken_and_given_to_the_job(http):
    nested = "[" * 380 + "]" * 380
    call = json.dumps({"tool": TOOL, "arguments": {"x": ["value", "?"]}}).replace('"?"', nested)
    answer = http.post("/calls", content=call)
    assert answer.status_code == 201
    job = http.get(f"/jobs/{answer.json()['id']}?wait=30").json()
    assert job["failure"]["type"] == "user"  # sqrt takes no list
