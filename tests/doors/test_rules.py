"""Every route has a rule, every error a status."""

import pytest

from treadle import errors
from treadle.api.http.problems import problem, status_of
from treadle.api.http.routes import OPERATIONS
from treadle.model.access import SCOPES

OPEN: set[str] = set()


def test_every_operation_has_a_scope_of_its_own_or_is_open_to_everybody_on_purpose():
    assert {each.path for each in OPERATIONS if each.scope is None} == OPEN
    assert {each.scope for each in OPERATIONS} <= {*SCOPES, None}


def test_no_operation_is_there_twice():
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)
    assert len({each.name for each in OPERATIONS}) == len(OPERATIONS)


def test_only_blobs_have_no_limit():
    assert [(each.method, each.path) for each in OPERATIONS if each.streams] == [
        ("POST", "/api/v1/blobs"),
        ("PUT", "/api/v1/blobs/{digest}"),
    ]


def test_what_changes_nothing_asks_for_the_scope_to_read():
    for each in OPERATIONS:
        if each.scope is not None:
            assert (each.scope == "read") == (each.method in ("GET", "WEBSOCKET"))


@pytest.mark.parametrize("kind", errors._tree(errors.TreadleError).values())
def test_every_error_becomes_a_problem_and_back_itself(kind):
    response = problem(kind("It went wrong.", hint="Do better."))
    assert response.media_type == "application/problem+json"
    assert 400 <= status_of(kind("x")) < 600
    again = errors.from_wire(kind.code, "It went wrong.", "Do better.")
    assert type(again) is kind
    assert str(again) == "It went wrong. Do better."
