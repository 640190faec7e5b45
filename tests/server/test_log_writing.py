"""The server's log: never in the way, and never without measure."""

import io
import logging
import os
import sys

from treadle.server.log_writing import MOST_WAITING, AsLines, Sparing, Writer, without_tokens


def record(message, level=logging.INFO, **extra):
    made = logging.LogRecord("treadle.moves", level, "file", 1, message, (), None)
    made.__dict__.update(extra)
    return made


def test_a_reader_who_takes_nothing_holds_nobody_up():
    # Given
    reading, writing = os.pipe()
    writer = Writer(writing)
    writer.setFormatter(AsLines())

    # When
    for number in range(MOST_WAITING + 5000):
        writer.handle(record(f"line {number} {'x' * 100}"))

    # Then
    with open(reading, closefd=True) as found:
        first = found.readline()
        assert "line 0 " in first
        rest = []
        while "left out" not in (line := found.readline()):
            rest.append(line)
        assert len(rest) <= MOST_WAITING
        writer.handle(record("and on"))
        assert any("and on" in found.readline() for _ in range(MOST_WAITING + 1))
    writer.close()
    os.close(writing)


def test_a_terminal_that_is_gone_is_no_failure():
    reading, writing = os.pipe()
    os.close(reading)
    writer = Writer(writing)
    writer.setFormatter(AsLines())

    writer.handle(record("nobody reads this"))
    writer.close()

    os.close(writing)


def test_what_comes_too_often_is_counted_and_warnings_are_not():
    # Given
    now = 0.0
    sparing = Sparing(3, clock=lambda: now)

    # When
    passed = [sparing.filter(record("move")) for _ in range(10)]
    warned = sparing.filter(record("trouble", logging.WARNING))
    now = 1.0
    later = record("move")
    passed_later = sparing.filter(later)

    # Then
    assert passed == [True] * 3 + [False] * 7
    assert warned
    assert passed_later
    assert "left_out=7" in AsLines().format(later)


def test_a_line_holds_what_is_known_and_no_control_characters():
    line = AsLines().format(record("a\nb\x1b[0m", job="job_1", run="run_1", user="analyst"))

    assert line.endswith("treadle.moves: a\\nb\\x1b[0m job=job_1 run=run_1 user=analyst")
    assert line[10] == "T"


def test_the_secret_of_a_token_is_left_out():
    assert without_tokens("x trd_owner_abcDEF-_123456 y") == "x trd_owner_... y"


def test_arguments_that_do_not_fit_are_told_and_no_failure(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    reading, writing = os.pipe()
    writer = Writer(writing)
    made = record("%d jobs")
    made.args = ("many",)

    writer.handle(made)
    writer.close()

    assert "many" in said.getvalue()
    os.close(reading)
    os.close(writing)
