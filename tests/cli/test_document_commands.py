"""`treadle validate`, `export` and `schema`, as commands."""

import json
from pathlib import Path

import pytest

from cli.conftest import Treadle


@pytest.fixture
def project(treadle: Treadle) -> Treadle:
    """A folder of its own, with a pipeline file that is right."""
    (treadle.folder / "load.py").write_text("print('here')\n")
    (treadle.folder / "treadle.yaml").write_text(
        "# Mine.\nname: mine\nsteps:\n  load: {script: load.py}  # first\n"
    )
    return treadle


def test_a_file_that_is_right_is_said_to_be(project: Treadle) -> None:
    assert project("validate") == "treadle.yaml: ok, 1 step\n"
    assert project("validate", "treadle.yaml", "pipelines.py:compare") == (
        "treadle.yaml: ok, 1 step\npipelines.py: ok, 5 steps\n"
    )


def test_all_that_is_wrong_is_listed_and_the_exit_code_says_so(project: Treadle) -> None:
    (project.folder / "sub").mkdir()
    wrong = project.folder / "sub" / "wrong.yaml"
    wrong.write_text(
        "parameters: {api_key: x}\nsteps:\n  a: {script: no.py}\n  b: {scripd: load.py}\n"
    )
    assert project("validate", "treadle.yaml", "sub/wrong.yaml", code=2).splitlines() == [
        "treadle.yaml: ok, 1 step",
        "sub/wrong.yaml:3:15: error: there is no script 'no.py'.",
        "sub/wrong.yaml:4:7: error: there is no key 'scripd' in b. Did you mean 'script'?",
        (
            "sub/wrong.yaml:1:14: warning: parameter 'api_key' looks secret, and parameters are "
            "stored and shown. Take it from the environment: env: {NAME: '${env.NAME}'}."
        ),
    ]
    (told,) = project.json("validate", "sub/wrong.yaml", code=2)["files"]
    assert (told["valid"], told["steps"]) == (False, 0)
    assert [(each["line"], each["column"], each["key"]) for each in told["problems"]] == [
        (3, 15, "steps.a.script"),
        (4, 7, "steps.b.scripd"),
    ]
    assert [each["line"] for each in told["warnings"]] == [1]


def test_mistakes_in_python_are_told_alike(project: Treadle) -> None:
    (project.folder / "broken.py").write_text("import treadle\n\nif True\n    pass\n")
    assert project("validate", "broken.py", code=2) == (
        "broken.py:3:1: error: SyntaxError: expected ':'\n"
    )
    told = project("validate", "pipelines.py:compare", "-p", "datset=x", code=2)
    assert "there is no such parameter. Did you mean 'dataset'?" in told


def test_parameters_are_checked_where_they_are_given(project: Treadle) -> None:
    (project.folder / "treadle.yaml").write_text(
        "parameters: {n: {type: integer}}\nsteps: {a: {script: load.py, cpus: '${n}'}}\n"
    )
    assert project("validate") == "treadle.yaml: ok, 1 step\n"
    assert project("validate", "-p", "n=2") == "treadle.yaml: ok, 1 step\n"
    assert "expected integer, got 'two'" in project("validate", "-p", "n=two", code=2)


def test_the_schema_is_printed_or_written(project: Treadle) -> None:
    printed = json.loads(project("schema"))
    assert printed["title"] == "Treadle pipeline"
    project("schema", "-o", "editor.json")
    assert json.loads((project.folder / "editor.json").read_text()) == printed


def test_the_document_of_the_http_api_is_printed_for_generators_of_clients(project):
    printed = json.loads(project("schema", "--http"))
    assert printed["openapi"] == "3.1.0"
    assert "/api/v1/runs" in printed["paths"]


def test_a_pipeline_of_python_is_written_as_a_file_that_runs_alike(project: Treadle) -> None:
    done = project.all("export", "pipelines.py:compare", "-o", "compare.yaml")
    assert done.stderr == (
        "The parameters are written in: dataset='wine'.\n"
        "What the pipeline returns is not written: a file has results of steps only.\n"
    )
    assert project("validate", "compare.yaml") == "compare.yaml: ok, 5 steps\n"
    told = project.json("run", "compare.yaml")
    assert told["run"]["state"] == "completed"


def test_a_file_is_written_as_python_that_is_right(project: Treadle) -> None:
    project("export", "treadle.yaml", "--to", "python", "-o", "made.py")
    assert project("validate", "made.py") == "made.py: ok, 1 step\n"
    assert json.loads(project("export", "--to", "json")) == {
        "name": "mine",
        "steps": {"load": {"script": "load.py"}},
    }


def test_yaml_that_exists_keeps_its_comments_and_nothing_else_is_overwritten(
    project: Treadle,
) -> None:
    (project.folder / "new.json").write_text(
        json.dumps({"name": "new", "steps": {"load": {"script": "load.py", "cpus": 2}}})
    )
    project("export", "new.json", "-o", "treadle.yaml")
    assert (project.folder / "treadle.yaml").read_text() == (
        "# Mine.\nname: new\nsteps:\n  load: {script: load.py, cpus: 2} # first\n"
    )
    done = project.all("export", "treadle.yaml", "-o", "new.json", code=2)
    assert "error: new.json exists." in done.stderr
    project("export", "treadle.yaml", "-o", "new.json", "--force")
    assert sorted(Path(project.folder).glob(".*")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "treadle.yaml"), "Which form is wanted?"),
        (("export", "treadle.yaml", "--to", "toml"), "'toml' is none of the forms."),
        (("export", "treadle.yaml", "--to", "json", "-p", "a=1"), "without parameters"),
        (("export", "pipelines.py:compare", "--to", "python"), "pipelines.py is Python already."),
        (("export", "--to", "yaml", "-o", "no/where.yaml"), "no/where.yaml cannot be written"),
        (("validate", "tredle.yaml"), "There is no file tredle.yaml."),
    ],
)
def test_what_cannot_be_done_is_said(
    project: Treadle, arguments: tuple[str, ...], message: str
) -> None:
    assert message in project.all(*arguments, code=None).stderr
