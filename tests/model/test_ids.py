"""Ids sort by time, carry their kind, and strictly grow within a process."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from treadle.model.ids import ALPHABET, kind_of, new_id

FAR = 2**45  # milliseconds: more than any clock of this century tells


@given(st.sampled_from(["run", "job", "owner"]))
def test_an_id_says_its_kind_and_is_plain_lower_case(kind: str) -> None:
    identifier = new_id(kind)

    prefix, _, rest = identifier.partition("_")
    assert prefix == kind_of(identifier) == kind
    assert len(rest) == 18
    assert set(rest) <= set(ALPHABET)


@given(st.lists(st.integers(0, FAR), min_size=2, max_size=20))
def test_ids_strictly_grow_also_when_the_clock_is_set_back(times: list[int]) -> None:
    ids = [new_id("run", now_ms=now) for now in times]

    assert ids == sorted(set(ids))


def test_ids_of_many_threads_differ() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: new_id("job"), range(2000)))

    assert len(set(ids)) == 2000
