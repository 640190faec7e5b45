"""Options of a tool as people write them."""

from datetime import timedelta
from typing import Any

import pytest

from treadle import tool
from treadle.errors import InvalidDefinition
from treadle.model.records import Execution, FailureType


def execution(**options: Any) -> Execution:
    @tool(**options)
    def work() -> None: ...

    return work.execution


@pytest.mark.parametrize(
    ("given", "size_bytes"),
    [
        (1024, 1024),
        ("512", 512),
        ("1GB", 10**9),
        ("1.5 gb", 1_500_000_000),
        ("2GiB", 2 * 2**30),
        ("64k", 64_000),
        ("3Mi", 3 * 2**20),
    ],
)
def test_memory_may_be_bytes_or_a_text_with_a_unit(given: int | str, size_bytes: int) -> None:
    assert execution(memory=given).memory_bytes == size_bytes


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("90s", 90.0),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        (timedelta(minutes=2), 120.0),
        (None, None),
    ],
)
def test_a_timeout_may_be_seconds_a_text_or_a_timedelta(given: Any, seconds: float | None) -> None:
    assert execution(timeout=given).timeout_seconds == seconds


def test_all_options_together() -> None:
    made = execution(
        cpus=2, gpus=1, retries=3, backoff="2s", retry_on="crashed", on_lost="fail", grace=1
    )

    assert made == Execution(
        cpus=2.0,
        gpus=1,
        retries=3,
        backoff_seconds=2.0,
        retry_on=(FailureType.CRASHED,),
        on_lost="fail",
        grace_seconds=1.0,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cpu": 1}, "there is no option 'cpu'. Did you mean 'cpus'?"),
        ({"memory": "lots"}, "memory='lots': 'lots' is no size"),
        ({"memory": 0}, "memory=0: expected at least 1"),
        ({"timeout": "soon"}, "timeout='soon': 'soon' is no duration"),
        ({"timeout": 0}, "timeout=0: expected more than 0"),
        ({"cpus": -1}, "cpus=-1: expected a finite number that is not negative"),
        ({"cpus": True}, "cpus=True: expected a number, got bool"),
        ({"retries": 1.5}, "retries=1.5: expected a whole number, got float"),
        ({"retry_on": ["rain"]}, "retry_on=['rain']: expected failure types: user, crashed,"),
        ({"on_lost": "cry"}, 'on_lost=\'cry\': expected "requeue" or "fail"'),
        ({"outputs": ("a", "a")}, "outputs=('a', 'a'): expected different Python names"),
        ({"outputs": ("a b",)}, "outputs=('a b',): expected different Python names"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_file_and_line(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        execution(**options)

    assert f"tool 'work': {message}" in str(caught.value)
    assert caught.value.where.startswith("tests/authoring/test_options.py:")
