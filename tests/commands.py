"""Runs of one command, for tests that speak HTTP to a server and need no project."""

import json

import httpx

from samples import a_tool
from treadle.model.bindings import Value
from treadle.model.records import Code, Pipeline, Step, Submission
from treadle.model.wire import to_wire

RUN = a_tool("run", code=Code(kind="snapshot", digest="", entry="subprocess:run"))


def a_command(*command: str) -> bytes:
    """The body of a request for a run of it."""
    step = Step(name="command", tool_id=RUN.id, arguments={"args": Value(list(command))})
    pipeline = Pipeline(name="commands", version="1", tools=(RUN,), steps=(step,))
    return json.dumps(to_wire(Submission(pipeline=pipeline))).encode()


def submit(http: httpx.Client, *command: str) -> str:
    """A run of one command; its id. http: with the address of the server as its base."""
    answer = http.post("/api/v1/runs", content=a_command(*command))
    assert answer.status_code == 201, answer.text
    run_id: str = answer.json()["id"]
    return run_id


def state_of(http: httpx.Client, run_id: str, *, wait: float = 0) -> str:
    answer = http.get(f"/api/v1/runs/{run_id}", params={"wait": wait})
    assert answer.status_code == 200, answer.text
    state: str = answer.json()["state"]
    return state
