"""Plain data: JSON where it is exact, pickle where it is not."""

import enum
import sys
from collections import OrderedDict, defaultdict, namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from exactly import codec_of, same, there_and_back
from hypothesis import given
from hypothesis import strategies as st

from treadle import codecs
from treadle.errors import CodecError


class Whole(int):
    pass


class Words(str):
    __slots__ = ()


class Colour(enum.IntEnum):
    RED = 1


class Unhashable(type):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        return True


class Odd(metaclass=Unhashable):
    pass


Pair = namedtuple("Pair", "a b")
SHARED: list[Any] = [1]
CYCLE: list[Any] = []
CYCLE.append(CYCLE)

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers().map(Whole)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.timedeltas()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.booleans(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(plain)
def test_plain_values_come_back_exactly(value: Any) -> None:
    assert same(there_and_back(value), value)


@given(anything)
def test_any_builtin_values_come_back_exactly(value: Any) -> None:
    assert same(there_and_back(value), value)


@given(plain)
def test_what_is_stored_as_json_is_what_json_keeps(value: Any) -> None:
    encoded = codecs.encode(value)

    if encoded.codec == "json":
        assert encoded.media_type == "application/json"
        encoded.to_bytes().decode("utf-8")
        assert b"NaN" not in encoded.to_bytes() or "NaN" in repr(value)


@pytest.mark.parametrize(
    "value",
    [
        *(0, -7, 2**2000, True, None, -0.0, 1e308, 5e-324),
        *("", "läufer", "\x00\u2028😀", [], {}),
        {"b": 1, "a": [1, 2.0, None, "x", {"": False}]},
        [[], [], {}, {}],
        [1] * 10_000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_exact_plain_values_are_json(value: Any) -> None:
    assert codec_of(value) == "json"
    assert same(there_and_back(value), value)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        [1.0, float("-inf")],
        (1, 2),
        [(1, 2)],
        {1: "a"},
        {"a": {None: 1}},
        {Words("a"): 1},
        {1, 2},
        b"bytes",
        bytearray(b"x"),
        Whole(3),
        [Whole(3)],
        Words("s"),
        Colour.RED,
        Pair(1, 2),
        OrderedDict(a=1),
        defaultdict(list, a=[1]),
        "\ud800",
        "\ud800\udc00",
        ["\udfff"],
        {"\udfff": 1},
        2**2048,
        [-(10**5000)],
        1j,
        Decimal("1.10"),
        Fraction(1, 3),
        date(2026, 1, 2),
        datetime(2026, 1, 2, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 1, 2, tzinfo=UTC),
        timedelta(1),
        UUID(int=5),
        PurePosixPath("a/b"),
        Path("nothing/lies/here"),
        ...,
        NotImplemented,
        range(3),
        slice(1, 2),
        int,
    ],
    ids=lambda value: type(value).__name__,  # some have no text, and some no UTF-8
)
def test_what_json_would_change_is_pickled(value: Any) -> None:
    assert codec_of(value) == "pickle5"
    assert same(there_and_back(value), value)


@pytest.mark.parametrize("value", [Odd(), [Odd()], {"a": Odd()}], ids=["it", "list", "dict"])
def test_a_type_that_has_no_hash_is_refused_by_a_sentence(value: Any) -> None:
    with pytest.raises(CodecError, match="unhashable type"):
        codecs.encode(value)


def test_a_list_that_occurs_twice_stays_one() -> None:
    back = there_and_back({"a": SHARED, "b": SHARED})

    assert back["a"] is back["b"]


def test_a_list_that_holds_itself_comes_back() -> None:
    back = there_and_back(CYCLE)

    assert back[0] is back


def test_deep_values_come_back_although_json_readers_differ() -> None:
    value: Any = 1
    for _ in range(150):
        value = [value]

    assert codec_of(value) == "pickle5"
    assert there_and_back(value) == value


def test_values_too_deep_for_anything_are_refused_by_a_sentence() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]

    with pytest.raises(CodecError, match=r"builtins\.list cannot be stored: .*deep"):
        codecs.encode(value)
    while isinstance(value, list):  # taken apart by hand: freeing it must not recurse either
        value = value[0]


def test_long_integers_do_not_hang_on_the_interpreters_limit() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert there_and_back(2**2047) == 2**2047
        assert there_and_back(-(2**2047)) == -(2**2047)
        assert there_and_back([10**50_000]) == [10**50_000]
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("codec", ["json", "npy", "pickle5", "arrow", "arrow.polars", "path.tar:x"])
def test_bytes_that_are_none_of_a_codecs_are_refused(codec: str, tmp_path: Path) -> None:
    for data in (b"", b"\xff\xfe nonsense", b"{", bytes(300), b"\x93NUMPY\x01\x00\xff\xff{"):
        if codec == "path.tar:x" and data == bytes(300):
            continue  # an end of archive: an empty directory
        with pytest.raises(CodecError):
            codecs.decode(codec, memoryview(data), directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_codec_is_said_with_the_next_step() -> None:
    with pytest.raises(CodecError, match=r"zarr.*newer Treadle"):
        codecs.decode("zarr", memoryview(b""))
