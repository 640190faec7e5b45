"""Records as JSON and back, by their annotations."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from random_records import executions, failures, refs, submissions

from treadle.errors import InvalidRequest
from treadle.model.orders import execution_from_wire, failure_from_wire
from treadle.model.records import Code, Execution, Failure, Submission, Tool
from treadle.model.refs import Ref
from treadle.model.wire import from_wire, to_wire

CODE = {"kind": "snapshot", "digest": "", "entry": "m:f"}


def through_json(record: object) -> Any:
    return json.loads(json.dumps(to_wire(record)))


@given(submissions)
def test_a_submission_comes_back_as_it_was(submission: Submission) -> None:
    assert from_wire(Submission, through_json(submission)) == submission


@given(failures)
def test_a_failure_comes_back_as_it_was(failure: Failure) -> None:
    assert from_wire(Failure, through_json(failure)) == failure
    assert failure_from_wire(through_json(failure)) == failure


@given(executions)
def test_an_execution_comes_back_as_it_was(execution: Execution) -> None:
    assert from_wire(Execution, through_json(execution)) == execution
    assert execution_from_wire(through_json(execution)) == execution


@given(refs)
def test_a_ref_comes_back_with_its_inline_bytes(ref: Ref) -> None:
    assert Ref.from_wire(through_json(ref)) == ref


def test_fields_left_out_take_their_default() -> None:
    tool = from_wire(Tool, {"id": "t", "name": "n", "version": "1", "code": CODE})

    code = Code(kind="snapshot", digest="", entry="m:f")
    assert tool == Tool(id="t", name="n", version="1", code=code)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nmae": "x"}, "Tool: unknown field 'nmae'. Did you mean 'name'?"),
        ({"name": 3}, "Tool.name: expected str, got '3'."),
        ({"code": {**CODE, "kind": "zip"}}, "Tool.code.kind: expected one of snapshot, value"),
        ({"outputs": "ab"}, "Tool.outputs: expected a list"),
        ({"execution": {"retry_on": ["bad luck"]}}, "Tool.execution.retry_on[0]: expected one of"),
        ({"execution": {"gpus": True}}, "Tool.execution.gpus: expected int, got 'True'."),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_wire(Tool, {"id": "t", "name": "n", "version": "1", "code": CODE, **changes})

    assert str(caught.value).startswith(message)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(InvalidRequest, match="Code: field 'entry' is missing"):
        from_wire(Code, {"kind": "value", "digest": ""})


def test_a_whole_number_does_for_a_float_but_not_the_other_way() -> None:
    assert from_wire(Execution, {"cpus": 2}) == replace(Execution(), cpus=2.0)
    with pytest.raises(InvalidRequest, match=r"Execution.retries: expected int, got '1.5'"):
        from_wire(Execution, {"retries": 1.5})
