"""`treadle init`: a small project that runs as it stands."""

import json
import stat

import pytest


@pytest.mark.parametrize(
    ("template", "steps"),
    [("scripts", ["measure", "fit", "report"]), ("functions", ["measure", "fit", "judge"])],
)
def test_what_init_makes_runs_as_it_stands(treadle, template, steps):
    # Given an empty folder
    treadle.folder = treadle.folder / "my_line"
    treadle.folder.mkdir()

    # When a project is made there, and run without saying what
    said = treadle("init", "--template", template)
    told = treadle.json("run")

    # Then it does what it says
    assert "treadle run" in said
    assert told["run"]["pipeline"] == "my_line"
    assert {job["step"]: job["state"] for job in told["jobs"]} == dict.fromkeys(steps, "completed")
    assert {metric["name"] for metric in told["metrics"]} == {"slope", "error"}
    if template == "scripts":
        assert treadle("get", "@last", "report.report").startswith("A line through 200 points\n")


def test_its_readme_and_its_first_lines_name_commands_that_work(treadle):
    treadle("init", "lines")
    treadle.folder = treadle.folder / "lines"
    treadle("validate")
    treadle("graph")
    grid = ("-p", "noise=0.5,1", "-p", "seed=1..2", "--sweep", "--best", "error:min")
    assert "lowest error" in treadle("run", *grid)


def test_the_pipeline_names_the_schema_that_lies_beside_it(treadle):
    treadle("init", "new/project")
    folder = treadle.folder / "new" / "project"
    first = (folder / "treadle.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=treadle.schema.json"
    assert "steps" in json.loads((folder / "treadle.schema.json").read_text())["properties"]
    assert (folder / "report.sh").stat().st_mode & stat.S_IXUSR
    assert "name: project\n" in (folder / "treadle.yaml").read_text()
    assert ".venv/" in (folder / ".gitignore").read_text()


def test_nothing_is_overwritten_and_what_is_in_the_way_is_named(treadle):
    # Given a folder with two files of these names, one of them a link that leads nowhere
    (treadle.folder / "fit.py").write_text("mine")
    (treadle.folder / "treadle.toml").symlink_to("nowhere")

    # When a project is to be made there
    done = treadle.all("init", code=2)

    # Then nothing is written
    assert "There are fit.py and treadle.toml in" in done.stderr
    assert "treadle init DIR" in done.stderr
    assert (treadle.folder / "fit.py").read_text() == "mine"
    assert not (treadle.folder / "treadle.yaml").exists()


def test_other_files_may_be_there_already(treadle):
    (treadle.folder / "notes.txt").write_text("mine")
    files = treadle.json("init")["files"]
    assert "treadle.yaml" in files
    assert all((treadle.folder / name).is_file() for name in files)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("init", "--template", "script"), "Did you mean 'scripts'?"),
        (("init", "pipelines.py"), "pipelines.py is a file, not a folder"),
    ],
)
def test_what_cannot_be_made_is_said(treadle, arguments, said):
    assert said in treadle.all(*arguments, code=2).stderr


def test_odd_folder_names_become_names_of_pipelines(treadle):
    for folder, name in (("1e3", '"1e3"'), ("true", '"true"'), ("mein projekt!", "mein-projekt")):
        treadle("init", folder)
        assert f"name: {name}\n" in (treadle.folder / folder / "treadle.yaml").read_text()
        treadle("validate", f"{folder}/treadle.yaml")
