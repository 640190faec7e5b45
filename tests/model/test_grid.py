"""What `-p NAME=VALUES --sweep` stands for."""

import pytest

from treadle.errors import InvalidRequest
from treadle.model.grid import choices_of, grid_of


def shown(text):
    return [choice.shown for choice in choices_of("x", text)]


def test_commas_separate_values_which_stay_as_typed():
    assert shown("0.1,0.01") == ["0.1", "0.01"]
    assert shown("a, b") == ["a", "b"]
    assert shown("one") == ["one"]
    assert shown("") == [""]


def test_whole_numbers_may_be_a_range_that_ends_where_it_says():
    assert shown("1..3") == ["1", "2", "3"]
    assert shown("3..1") == ["3", "2", "1"]
    assert shown("-1..1,10") == ["-1", "0", "1", "10"]
    assert shown("0..100..50") == ["0", "50", "100"]
    assert shown("0.1..0.5") == ["0.1..0.5"]  # text, which the parameter's type refuses


def test_a_json_list_is_the_list_of_values_with_their_types():
    assert [(c.value, c.is_text) for c in choices_of("x", '["a,b", "c"]')] == [
        ("a,b", False),
        ("c", False),
    ]
    assert [c.value for c in choices_of("x", "[[64], [64, 32]]")] == [[64], [64, 32]]
    assert [c.value for c in choices_of("x", '{"a": 1}, {"a": 2}')] == [{"a": 1}, {"a": 2}]


def test_the_last_parameter_varies_fastest_and_names_hold_only_what_varies():
    grid = grid_of([("lr", "0.1,0.01"), ("data", "wine"), ("layers", "[[1],[2]]")])
    assert (len(grid), str(grid)) == (4, "2 x 2")
    first, second, third, _ = grid
    assert [first.name, second.name] == ["lr=0.1 layers=[1]", "lr=0.1 layers=[2]"]
    assert third.text_parameters == {"lr": "0.01", "data": "wine"}
    assert third.parameters == {"layers": [1]}


def test_no_parameters_are_one_combination():
    assert [each.name for each in grid_of([])] == [""]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([("a", "1,")], "a value between the commas is missing"),
        ([("a", "[1, 2")], "not valid JSON"),
        ([("a", "[]")], "the list of values is empty"),
        ([("a", "1..5..-1")], "this range never gets to 5"),
        ([("a", "1..5..0")], "this range never gets to 5"),
        ([("a", "1,1")], "has the value 1 twice"),
        ([("a", "1"), ("a", "2")], "given twice"),
        ([("a", "1..999999999999")], "999,999,999,999 values"),
        ([("a", "1..1000"), ("b", "1..1000")], r"1,000,000 combinations \(1000 x 1000\)"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, said):
    with pytest.raises(InvalidRequest, match=said):
        grid_of(given)
