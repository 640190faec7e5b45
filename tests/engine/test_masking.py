"""The values of secrets are hidden in all that a job says, however it arrives."""

import base64
import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workbench import Workbench
from treadle.engine.local.masking import Masker, masker_of
from treadle.model.records import FailureType

SECRET = 'hunter2/ä"x'


def _shown(masker: Masker, chunks: list[bytes], stream: str = "out") -> bytes:
    shown = b"".join(masker.feed(stream, chunk) for chunk in chunks)
    return shown + b"".join(data for _, data in masker.rest())


@given(
    st.lists(st.sampled_from([b"abcd", b"abcabcd", b"ab", b"c", b"d\n", b"x"]), max_size=12),
    st.data(),
)
def test_however_the_output_is_cut_the_same_is_hidden(pieces, data):
    # Given
    text = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    # When
    shown = _shown(Masker(["abcd", "abcabcd"]), chunks)
    # Then
    assert shown == Masker(["abcd", "abcabcd"]).text(text.decode()).encode()
    assert b"abcd" not in shown


@given(
    st.lists(st.sampled_from(["abcd", "cdefgh", "ghab", "ab", "cd", "efgh", "x"]), max_size=12),
    st.data(),
)
def test_of_secrets_that_overlap_nothing_is_shown_however_the_output_is_cut(pieces, data):
    # Given
    secrets, text = ["abcd", "cdefgh", "ghab"], "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[a:b].encode() for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    # When
    shown = _shown(Masker(secrets), chunks).decode()
    # Then
    assert shown == Masker(secrets).text(text)
    kept = [True] * len(text)
    for secret in secrets:
        for at in range(len(text)):
            if text.startswith(secret, at):
                kept[at : at + len(secret)] = [False] * len(secret)
    assert shown.replace("***", "") == "".join(
        letter for letter, is_kept in zip(text, kept, strict=True) if is_kept
    )


def test_what_cannot_become_a_secret_is_shown_at_once():
    masker = Masker(["password1"])
    assert masker.feed("out", b"a line\n") == b"a line\n"
    assert masker.feed("out", b"pass") == b""
    assert masker.feed("err", b"word1\n") == b"word1\n"
    assert masker.feed("out", b"port\n") == b"passport\n"


def test_the_longest_secret_wins_where_one_begins_with_another():
    assert _shown(Masker(["abcd", "abcdef"]), [b"abcd", b"ef abcd"]) == b"*** ***"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        repr(ValueError(SECRET)),
    ],
)
def test_usual_spellings_of_a_secret_are_hidden(form):
    shown = Masker([SECRET]).text(f"it is {form}.")
    assert "***" in shown
    assert "hunter" not in shown and form.strip("\"'=") not in shown


def test_each_long_line_of_a_key_is_hidden():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\nab\n-----END KEY-----\n"
    shown = Masker([key]).text("log: MIIEvQIBADANBgkq | ab | -----BEGIN KEY-----")
    assert shown == "log: *** | ab | -----BEGIN KEY-----"


def test_values_too_short_to_hide_are_left_alone():
    assert masker_of({"A": "yes", "B": ""}) is None
    assert masker_of({}) is None


def leak(value: object) -> None:
    import os
    import sys

    from treadle import step

    word = os.environ["API_KEY"]
    sys.stdout.write(f"key {word[:4]}")
    sys.stdout.flush()
    sys.stdout.write(f"{word[4:]} end\n")
    print("again", word, file=sys.stderr)
    step.log_metric(f"loss {word}", 1.0)
    raise ValueError(f"cannot log in with {word!r}")


def test_a_job_gets_its_secrets_and_nothing_it_says_shows_them(bench: Workbench):
    story = bench.run(leak, 1, secrets={"API_KEY": "s3cr3t-w0rd"}, variables={"OTHER": "x"})
    assert story.printed("out") == b"key *** end\n"
    assert story.printed("err") == b"again ***\n"
    assert story.metrics() == [("loss ***", 1.0, None)]
    assert story.failure.message == "ValueError: cannot log in with '***'"
    assert "***" in story.failure.traceback
    assert "s3cr3t-w0rd" not in repr(story.notes)


def crash(value: object) -> None:
    import os

    print(os.environ["API_KEY"], flush=True)
    os._exit(3)


def test_the_death_certificate_is_masked_too(bench: Workbench):
    story = bench.run(crash, 1, secrets={"API_KEY": "s3cr3t-w0rd"})
    assert story.failure.certificate.last_lines == "***\n"


def peek(value: object) -> object:
    import os

    return os.environ.get("API_KEY")


def test_the_next_job_of_a_slot_sees_no_secret_of_the_last(bench: Workbench):
    async def scene(floor):
        code = bench.code(peek)
        first = await floor.run(peek, 1, digest=code, secrets={"API_KEY": "s3cr3t-w0rd"})
        return first, await floor.run(peek, 1, digest=code)

    first, second = bench.play(scene)
    assert first.result == "s3cr3t-w0rd"
    assert second.pid == first.pid
    assert second.result is None


def test_an_order_does_not_show_its_secrets(bench: Workbench):
    order = replace(bench.order("x", digest="", arguments={}), secrets={"A": "s3cr3t-w0rd"})
    assert "s3cr3t" not in repr(order)


def linger(value: object) -> None:
    import time

    time.sleep(600)


def test_a_timeouts_certificate_names_the_signal_that_ended_it(bench: Workbench):
    failure = bench.run(linger, 1, timeout_seconds=0.2).failure
    assert failure.type == FailureType.TIMEOUT
    assert (failure.certificate.signal, failure.certificate.exit_code) == (15, None)


def test_a_secret_of_blanks_spoils_no_indentation():
    assert masker_of({"API_KEY": "    "}) is None
