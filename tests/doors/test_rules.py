"""Every route has a rule, every error a status."""

import pytest
from starlette.routing import Route

from treadle import errors
from treadle.api.http.app import ROUTES
from treadle.api.http.problems import problem, status_of
from treadle.api.http.rules import RULES, rule_of


def test_every_route_has_a_rule_and_every_rule_a_route():
    served = {
        (method, route.path)
        for route in ROUTES
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    }
    assert served == set(RULES)


def test_only_blobs_have_no_limit():
    assert [route for route, rule in RULES.items() if rule.streams] == [
        ("PUT", "/api/v1/blobs/{digest}"),
        ("POST", "/api/v1/blobs"),
    ]


def test_reading_asks_for_the_scope_to_read_and_nothing_else_does():
    for (method, _), rule in RULES.items():
        assert (rule.scope == "read") == (method == "GET")
    assert rule_of("HEAD", "/api/v1/health") == rule_of("GET", "/api/v1/health")


@pytest.mark.parametrize("kind", errors._tree(errors.TreadleError).values())
def test_every_error_becomes_a_problem_and_back_itself(kind):
    response = problem(kind("It went wrong.", hint="Do better."))
    assert response.media_type == "application/problem+json"
    assert 400 <= status_of(kind("x")) < 600
    again = errors.from_wire(kind.code, "It went wrong.", "Do better.")
    assert type(again) is kind
    assert str(again) == "It went wrong. Do better."
