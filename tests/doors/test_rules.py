"""Every route has a rule, every error a status."""

import re

import pytest

from treadle import errors
from treadle.api.http.problems import problem, status_of
from treadle.api.http.routes import OPERATIONS
from treadle.model.access import SCOPES

OPEN = {"/", "/api/v1/health/live", "/api/v1/health/ready", "/api/v1/openapi.json"}
ONLY_ADMINISTRATORS_READ = {"/api/v1/tokens", "/api/v1/audit"}
KEPT = [each for each in OPERATIONS if each.scope is not None]
SMALLER = {"read": "call:nothing", "data": "read", "run": "data", "admin": "run", "call": "data"}


def test_every_operation_has_a_scope_or_is_open_to_everybody_on_purpose():
    assert {each.path for each in OPERATIONS if each.scope is None} <= OPEN
    assert {each.scope for each in OPERATIONS} <= {*SCOPES, "call", None}


def test_no_operation_is_there_twice():
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)
    assert len({each.name for each in OPERATIONS}) == len(OPERATIONS)


def test_only_blobs_have_no_limit():
    assert [(each.method, each.path) for each in OPERATIONS if each.streams] == [
        ("POST", "/api/v1/blobs"),
        ("PUT", "/api/v1/blobs/{digest}"),
    ]


def test_what_changes_nothing_asks_for_the_scope_to_read():
    for each in KEPT:
        if each.path not in ONLY_ADMINISTRATORS_READ:
            assert (each.scope == "read") == (each.method in ("GET", "WEBSOCKET"))


@pytest.mark.parametrize("operation", KEPT, ids=lambda each: each.name)
def test_who_sends_no_token_is_refused_before_the_body_is_read(operation, opened):
    # Given
    caller = opened(f"127.0.1.{KEPT.index(operation) + 1}")  # failures are counted by address

    # When
    caller.sendall(head_of(operation, caller, "Content-Length: 1000000"))

    # Then
    assert caller.recv(9999).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("operation", KEPT, ids=lambda each: each.name)
def test_who_holds_a_smaller_scope_is_refused_before_the_body_is_read(operation, opened, holding):
    # Given
    caller = opened()
    token = holding(SMALLER[operation.scope]).token

    # When
    caller.sendall(
        head_of(operation, caller, f"Authorization: Bearer {token}", "Content-Length: 1000000")
    )

    # Then
    assert caller.recv(9999).startswith(b"HTTP/1.1 403 ")


def test_a_method_that_a_path_does_not_have_is_answered_with_those_it_has(owner):
    answer = owner.request("PATCH", "/runs")

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "POST"}


def head_of(operation, caller, *lines):
    """The head of a request, without a body."""
    path = re.sub(r"\{[^}]*\}", "x", operation.path)
    host, port = caller.getpeername()
    if operation.method == "WEBSOCKET":
        lines = [each for each in lines if not each.startswith("Content-Length")]
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: " + "A" * 22 + "=="]
    method = "GET" if operation.method == "WEBSOCKET" else operation.method
    head = (f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", *lines, "", "")
    return "\r\n".join(head).encode()


@pytest.mark.parametrize("kind", errors._tree(errors.TreadleError).values())
def test_every_error_becomes_a_problem_and_back_itself(kind):
    response = problem(kind("It went wrong.", hint="Do better."))
    assert response.media_type == "application/problem+json"
    assert 400 <= status_of(kind("x")) < 600
    again = errors.from_wire(kind.code, "It went wrong.", "Do better.")
    assert type(again) is kind
    assert str(again) == "It went wrong. Do better."
