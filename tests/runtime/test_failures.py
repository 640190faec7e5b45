"""What the user's code raises becomes text, whatever it does."""

import sys
from typing import Any

import pytest

from runtime.bench import RuntimeBench
from treadle.model.records import FailureType


def test_the_traceback_shows_the_users_frames_only(bench: RuntimeBench) -> None:
    def outer() -> None:
        inner()

    def inner() -> None:
        raise ValueError("no good")

    failure = bench.failure(outer)
    assert failure.type == FailureType.USER
    assert failure.message == "ValueError: no good"
    assert failure.exception == "ValueError"
    lines = failure.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.split()[-1] for line in lines if line.startswith("  File")] == ["outer", "inner"]
    assert lines[-1] == "ValueError: no good"


def test_causes_contexts_and_notes_are_kept(bench: RuntimeBench) -> None:
    def chain() -> None:
        try:
            try:
                {}["a"]
            except KeyError:
                raise TypeError("second")  # noqa: B904 - the context is what is tested
        except TypeError as error:
            last = RuntimeError("third")
            last.add_note("a note")
            raise last from error

    failure = bench.failure(chain)
    for text in ("KeyError: 'a'", "TypeError: second", "RuntimeError: third", "a note"):
        assert text in failure.traceback
    assert "direct cause" in failure.traceback
    assert "treadle/runtime" not in failure.traceback


def test_groups_of_exceptions_are_told_whole(bench: RuntimeBench) -> None:
    def group() -> None:
        raise ExceptionGroup("both", [ValueError("one"), OSError("two")])

    failure = bench.failure(group)
    assert "ValueError: one" in failure.traceback
    assert failure.message.startswith("ExceptionGroup: both")


def test_endless_recursion_is_told_briefly(bench: RuntimeBench) -> None:
    def recurse(n: int = 0) -> int:
        return recurse(n + 1) + 1

    failure = bench.failure(recurse)
    assert failure.exception == "RecursionError"
    assert "Previous line repeated" in failure.traceback
    assert len(failure.traceback) < 5000


def test_a_huge_message_is_cut_politely(bench: RuntimeBench) -> None:
    def shout() -> None:
        raise ValueError("A" * 10_000_000)

    failure = bench.failure(shout)
    assert len(failure.message) <= 500
    assert len(failure.traceback) < 60_000
    assert "characters left out" in failure.traceback


def test_the_message_is_one_line(bench: RuntimeBench) -> None:
    def lines() -> None:
        raise ValueError("first\nsecond")

    failure = bench.failure(lines)
    assert failure.message == "ValueError: first"
    assert "second" in failure.traceback


class Raising(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Exiting(Exception):
    def __str__(self) -> str:
        sys.exit(1)


class Hanging(Exception):
    def __str__(self) -> str:
        while True:
            pass


class Surrogate(Exception):
    def __str__(self) -> str:
        return "\ud800"


@pytest.mark.parametrize("kind", [Raising, Exiting, Hanging, Surrogate])
def test_an_exception_that_misbehaves_is_told_all_the_same(
    bench: RuntimeBench, kind: type[Exception]
) -> None:
    def misbehave() -> None:
        raise kind

    failure = bench.failure(misbehave)
    assert failure.type == FailureType.USER
    assert failure.message
    (failure.message + failure.traceback + failure.exception).encode()


def test_ctrl_c_inside_a_job_is_the_users_failure(bench: RuntimeBench) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    assert bench.failure(interrupt).exception == "KeyboardInterrupt"


def test_an_argument_that_cannot_be_read_is_told(bench: RuntimeBench) -> None:
    def never(x: object) -> None: ...

    class Poison:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return exec, ("raise LookupError('poison')",)

    failure = bench.failure(never, Poison())
    assert "poison" in failure.message + failure.traceback


def test_an_exception_that_lies_about_its_class_is_told_all_the_same(bench: RuntimeBench) -> None:
    def lie() -> None:
        class Meta(type):
            @property
            def __module__(cls) -> str:
                raise RuntimeError

        class Lying(Exception, metaclass=Meta):
            @property
            def __class__(self) -> Any:
                return int

        raise Lying

    failure = bench.failure(lie)
    assert failure.type == FailureType.USER
    assert failure.message
