"""Numbers that make no sense are named."""

import pytest

from samples import a_submission
from treadle.errors import InvalidDefinition
from treadle.model.limits import check_submission
from treadle.model.records import Execution


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cpus", -1.0),
        ("memory_bytes", 2**63),
        ("memory_bytes", -1),
        ("gpus", 10**30),
        ("timeout_seconds", -0.5),
        ("retries", -1),
        ("backoff_seconds", 1e300),
        ("grace_seconds", -1.0),
    ],
)
def test_what_a_tool_cannot_ask_for_is_named(field, value):
    with pytest.raises(InvalidDefinition, match=f"work: {field} is"):
        check_submission(a_submission({"a": []}, Execution(**{field: value})))


@pytest.mark.parametrize("fields", [{"concurrency": 0}, {"priority": 2**63}])
def test_what_a_run_cannot_ask_for_is_named(fields):
    with pytest.raises(InvalidDefinition, match=f"sample: {next(iter(fields))} is"):
        check_submission(a_submission({"a": []}, **fields))


def test_what_makes_sense_passes():
    check_submission(a_submission({"a": []}, Execution(memory_bytes=2**40, retries=3)))
