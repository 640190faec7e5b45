"""Pipeline files written anew, and changed with what people wrote into them kept."""

import json
from textwrap import dedent

import pytest
from hypothesis import given

from formats.random_documents import documents
from treadle.errors import InvalidDefinition
from treadle.formats.reading import parse_text
from treadle.formats.writing import rewrite, to_json, to_yaml

COMMENTED = dedent(
    """\
    # How the wine is judged.
    name: wine   # the name

    x-common: &common
      retries: 2  # twice

    parameters: {dataset: wine, "size": 3}  # defaults

    steps:
      # First, the data.
      load:
        <<: *common
        script: load.py   # downloads
        outputs: [table]  # one

      # Then the model.
      train:
        <<: *common
        script: train.py
        inputs: {data: load.table}
        args:
          - --epochs   # many
          - "10"
        # the end of train
    """
)


def value_of(text: str) -> dict:
    return parse_text(text, "f").value


def changed(**changes: object) -> dict:
    return {**value_of(COMMENTED), **changes}


def test_a_file_that_says_the_same_already_is_left_byte_for_byte() -> None:
    assert rewrite(COMMENTED, value_of(COMMENTED)) == COMMENTED


def test_a_changed_value_leaves_every_comment() -> None:
    document = changed(name="beer", parameters={"dataset": "beer", "size": 3})
    document["steps"]["load"]["script"] = "fetch.py"
    assert rewrite(COMMENTED, document) == (
        COMMENTED.replace("name: wine ", "name: beer ")
        .replace("{dataset: wine", "{dataset: beer")
        .replace("script: load.py  ", "script: fetch.py ")
    )


def test_new_keys_and_steps_come_where_they_belong() -> None:
    document = changed()
    steps = document["steps"]
    steps["load"]["cpus"] = 2
    document["steps"] = {**steps, "report": {"script": "report.sh", "after": ["train"]}}
    made = rewrite(COMMENTED, document)
    assert "    outputs: [table]  # one\n    cpus: 2\n\n  # Then the model.\n  train:" in made
    assert made.endswith("  report:\n    script: report.sh\n    after: [train]\n")
    assert value_of(made) == document


def test_what_is_taken_out_goes_and_the_rest_stays() -> None:
    document = changed()
    del document["steps"]["load"]["outputs"]
    del document["steps"]["train"]["inputs"]
    document["steps"]["train"]["args"] = ["--epochs"]
    made = rewrite(COMMENTED, document)
    assert "# Then the model." in made
    assert "- --epochs   # many\n" in made
    assert "# the end of train" in made
    assert value_of(made) == document


def test_part_of_what_a_merge_key_brings_can_be_changed_or_left_out() -> None:
    document = changed()
    document["steps"]["load"]["retries"] = 5
    del document["steps"]["train"]["retries"]
    made = rewrite(COMMENTED, document)
    assert value_of(made) == document
    assert made.count("<<: *common") == 1


def test_an_alias_that_means_something_else_now_gets_its_own_value() -> None:
    text = "a: &x {k: 1, l: [1]}\nb: *x\nc: *x\n"
    document = {"a": {"k": 2, "l": [1]}, "b": {"k": 2, "l": [1]}, "c": {"k": 3, "l": [1, 2]}}
    made = rewrite(text, document)
    assert value_of(made) == document
    assert "b: *x" in made


def test_keys_of_ones_own_stay_though_the_document_lacks_them() -> None:
    made = rewrite("x-mine: {a: 1}\nname: a\nsteps: {}\n", {"name": "b", "steps": {}})
    assert made == "x-mine: {a: 1}\nname: b\nsteps: {}\n"


def test_indentation_is_that_of_the_file() -> None:
    text = "steps:\n    a:\n        args:\n        - x\n"
    document = {"steps": {"a": {"args": ["x", "y"]}, "b": {"command": ["ls"]}}}
    assert rewrite(text, document) == (
        "steps:\n    a:\n        args:\n        - x\n        - y\n    b:\n        command: [ls]\n"
    )


def test_text_that_is_no_yaml_cannot_be_changed() -> None:
    with pytest.raises(InvalidDefinition):
        rewrite("a: b: c", {"a": 1})


def test_a_new_file_is_short_where_it_can_be() -> None:
    document = {
        "name": "x",
        "steps": {
            "a": {"script": "a.py", "env": {"A": "1", "B": "yes", "C": "no way"}},
            "b": {"command": ["bash", "-c", "one\ntwo\n"], "description": "Two\nlines."},
        },
    }
    assert to_yaml(document, "made by hand") == dedent(
        """\
        # made by hand
        name: x
        steps:
          a:
            script: a.py
            env: {A: "1", B: yes, C: no way}
          b:
            command:
              - bash
              - -c
              - |
                one
                two
            description: |-
              Two
              lines.
        """
    )


@given(documents)
def test_what_is_written_is_read_as_it_was(document: dict) -> None:
    for made in (
        parse_text(to_yaml(document), "f").value,
        parse_text(to_json(document), "f", as_json=True).value,
    ):
        assert json.dumps(made) == json.dumps(document)


@given(documents, documents)
def test_a_file_can_be_changed_into_any_other(before: dict, after: dict) -> None:
    made = rewrite(to_yaml(before), after)
    free = {key: value for key, value in before.items() if key.startswith("x-")}
    assert sorted_json(value_of(made)) == sorted_json({**free, **after})


def sorted_json(value: dict) -> str:
    return json.dumps(value, sort_keys=True)
