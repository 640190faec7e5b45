"""Thousands of generated requests, right and wrong ones: no error of ours, nothing undocumented."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from blake3 import blake3

from samples import a_submission, a_tool
from serving import running_server
from treadle.model.bindings import Value
from treadle.model.records import Code, Step
from treadle.model.wire import to_wire

PROGRAM = Path(sys.executable).with_name("schemathesis")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
ENDLESS = "get_all_events"  #: goes on for as long as somebody listens
CASES = re.compile(r"(\d+) generated")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server") / "state", "--slots", "2") as server:
        yield server


def generated(server, folder, seed, *options):
    """Let it send its requests; how many they were."""
    command = [str(PROGRAM), "run", f"{server.url}/api/v1/openapi.json", "--no-color"]
    command += ["--header", f"Authorization: Bearer {server.token}"]
    command += ["--checks", ",".join(CHECKS), "--seed", str(seed), "--request-timeout", "20"]
    command += ["--exclude-operation-id", ENDLESS, "--continue-on-failure"]
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout[:20_000]
    return int(CASES.search(done.stdout)[1])


@pytest.mark.timeout(280)
def test_whatever_is_asked_is_answered_as_documented(server, tmp_path):
    phases = ("--phases", "examples,coverage,fuzzing,stateful")
    assert generated(server, tmp_path, 4, *phases, "--max-examples", "12") > 2000


@pytest.mark.timeout(280)
def test_whatever_is_asked_about_what_there_is_is_answered_as_documented(server, tmp_path):
    names = existing(server)
    (tmp_path / "schemathesis.toml").write_text(configuration(names))
    only = [part for name in names for part in ("--include-operation-id", name)]
    assert generated(server, tmp_path, 5, *only, "--max-examples", "25") > 500


def test_no_answer_was_an_error_of_the_server(server):
    assert "Traceback" not in server.log.read_text()


def existing(server):
    """Path parameters that stand for something, by operation."""
    body = to_wire(a_submission({"a": []})) | {"labels": {"group": "known"}}
    steps = [a_step("calendar:prmonth", theyear=2026, themonth=11)]
    steps.append(a_step("secrets:token_bytes", nbytes=32))
    body["pipeline"] |= {
        "tools": [to_wire(tool) for tool, _ in steps],
        "steps": [to_wire(step) for _, step in steps],
    }
    digest = blake3(b"bytes").hexdigest()
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=server.headers) as http:
        http.put(f"/blobs/{digest}", content=b"bytes")
        run = http.post("/runs", json=body, params={"wait": 60}, timeout=60).json()
        assert run["state"] == "completed", run
        printed, made = http.get(f"/runs/{run['id']}").json()["jobs"]
    of_run, of_job = {"path.id": run["id"]}, {"path.id": printed["id"]}
    return {
        **dict.fromkeys(("get_run", "get_metrics", "get_events", "abort_run"), of_run),
        **dict.fromkeys(("get_job", "get_log", "search_log", "get_job_metrics"), of_job),
        **dict.fromkeys(("get_report", "list_outputs", "get_job_events", "abort_job"), of_job),
        "get_output": {"path.id": made["id"], "path.name": "result"},
        "get_blob": {"path.digest": digest},
        "get_group": {"path.name": "known"},
        "get_tool": {"path.name": "prmonth"},
        "get_tool_version": {"path.name": "prmonth", "path.version": "1"},
        "get_pipeline": {"path.name": "sample"},
        "get_pipeline_version": {"path.name": "sample", "path.version": "1"},
    }


def a_step(entry, **arguments):
    """(tool, step) of a function of an installed module"""
    name = entry.partition(":")[2]
    tool = a_tool(name, code=Code(kind="snapshot", digest="", entry=entry))
    given = {name: Value(value) for name, value in arguments.items()}
    return tool, Step(name=name, tool_id=tool.id, arguments=given)


def configuration(names):
    parts = []
    for operation, parameters in names.items():
        given = ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in parameters.items())
        parts.append(f'[[operations]]\ninclude-operation-id = "{operation}"\n')
        parts.append(f"parameters = {{ {given} }}\n")
    return "".join(parts)
