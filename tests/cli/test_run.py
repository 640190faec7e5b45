"""What `treadle run` prints and returns, in a process of its own."""

import json
import subprocess

RUN_ENDS = ("completed", "failed", "aborted")


def read_until(process: subprocess.Popen[bytes], text: str) -> str:
    """Output lines up to the one that holds the text."""
    seen = ""
    for line in process.stdout:
        seen += line.decode()
        if text in seen:
            return seen
    raise AssertionError(f"{text!r} never came:\n{seen}\n{process.stderr.read().decode()}")


def test_a_run_tells_each_step_in_plain_lines_and_ends_with_a_table_of_metrics(treadle):
    said = treadle("run", "pipelines.py:compare", "-p", "dataset=digits")
    assert "dataset=digits" in said.splitlines()[0]
    assert "load | loading digits" in said
    assert "completed" in said
    # the table tells the models apart, and shows the last value
    (row,) = [line for line in said.splitlines() if line.startswith("train-2 ") and "|" not in line]
    assert "0.926" in row
    assert "compare completed in" in said
    assert "treadle show run_" in said


def test_the_exit_code_of_a_failed_run_is_1_and_the_failure_is_explained(treadle):
    said = treadle("run", "pipelines.py:failing", "-p", "text=boom", code=1)
    assert "fail failed (user): ValueError: boom" in said
    assert "raise ValueError(text)" in said
    assert "treadle retry run_" in said


def test_a_dead_process_is_reported_with_its_death_certificate(treadle):
    said = treadle("run", "pipelines.py:dying", code=1)
    assert "was killed by SIGKILL" in said
    assert "last words" in said


def test_json_is_one_document_with_run_jobs_metrics_and_output(treadle):
    told = treadle.json("run", "pipelines.py:compare")
    assert told["run"]["state"] == "completed"
    assert {job["step"]: job["state"] for job in told["jobs"]} == dict.fromkeys(
        ("load", "train", "train-2", "train-3", "best"), "completed"
    )
    assert len(told["metrics"]) == 9
    assert told["output"] == {"model": "logistic", "accuracy": 0.92}
    assert told["exit_code"] == 0


def test_quiet_shows_the_end_only(treadle):
    said = treadle("run", "pipelines.py:compare", "--quiet")
    assert "epoch" not in said
    assert "compare completed in" in said


def test_labels_and_name_can_be_listed_by(treadle):
    treadle("run", "pipelines.py:failing", "--name", "one", "--label", "team=a", code=1)
    treadle("run", "pipelines.py:failing", "--label", "team=b", code=1)
    (run,) = treadle.json("ps", "--label", "team=a")["runs"]
    assert run["labels"] == {"name": "one", "team": "a"}
    assert len(treadle.json("ps", "--state", "failed")["runs"]) == 2


def test_a_file_that_is_not_there_is_named_with_the_nearest(treadle):
    done = treadle.all("run", "pipeline.py", code=2)
    assert "There is no file pipeline.py" in done.stderr
    assert "pipelines.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelt_parameter_is_named_with_the_nearest(treadle):
    done = treadle.all("run", "pipelines.py:compare", "-p", "datset=wine", code=2)
    assert "datset" in done.stderr
    assert "dataset" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_pipelines_in_a_file_have_to_be_told_apart(treadle):
    done = treadle.all("run", "pipelines.py", code=2)
    assert "compare" in done.stderr


def test_a_file_that_cannot_be_imported_shows_where(treadle):
    (treadle.folder / "broken.py").write_text("import treadle\nimport nosuchmodule\n")
    done = treadle.all("run", "broken.py", code=2)
    assert "nosuchmodule" in done.stderr
    assert "broken.py" in done.stderr


def test_errors_as_json_are_one_document(treadle):
    told = treadle.json("run", "nosuch.py", code=2)
    assert told["error"]["code"] == "not_found"


def test_nobody_to_leave_a_detached_run_to_is_said(treadle):
    done = treadle.all("run", "pipelines.py:compare", "--detach", code=2)
    assert "nobody to leave the run to" in done.stderr


def test_a_retry_reuses_what_completed_and_follows_to_the_end(treadle):
    treadle("run", "pipelines.py:flaky", code=1)
    told = treadle.json("retry", "@last")
    assert told["run"]["state"] == "completed"
    assert told["output"] == "done"


def test_a_run_goes_on_when_nobody_reads_what_it_prints(treadle):
    process = treadle.begin("run", "pipelines.py:patient")
    read_until(process, "waiting")
    process.stdout.close()
    treadle.mark("go")
    assert process.wait(60) == 0
    assert treadle.json("show", "@last")["run"]["state"] == "completed"


def test_a_wide_run_of_many_steps_completes(treadle):
    told = treadle.json("run", "pipelines.py:wide", "-p", "steps=300")
    assert told["run"]["jobs_total"] == 300
    assert told["exit_code"] == 0


def test_json_lines_of_logs_can_be_read_one_by_one(treadle):
    treadle("run", "pipelines.py:compare", "--quiet")
    lines = [json.loads(line) for line in treadle("logs", "@last", "--json").splitlines()]
    assert {"step": "load", "line": "loading wine"} in lines
    assert {"step": "train", "line": "logistic epoch 2"} in lines


def test_numbers_that_json_lacks_are_told_as_text(treadle):
    told = treadle.json("run", "pipelines.py:diverging")
    assert {each["name"]: each["value"] for each in told["metrics"]} == {"loss": "nan", "größe": 1}
    assert "nan" in treadle("metrics", "@last")


def test_what_a_terminal_cannot_show_does_not_stop_the_command(treadle):
    treadle.variables |= {"PYTHONIOENCODING": "ascii"}
    said = treadle("run", "pipelines.py:diverging")
    assert "diverge | gr" in said


def test_a_folder_without_treadle_yaml_offers_pipeline_files_before_python(treadle):
    (treadle.folder / "wine.yaml").write_text("steps: {a: {command: [ls]}}\n")
    said = treadle.all("run", code=2).stderr
    assert "There is no treadle.yaml" in said
    assert "Name a file, for instance wine.yaml, " in said


def test_a_path_with_dots_belongs_to_the_project_it_leads_to(treadle):
    # Given a project, and a folder in none beside it
    (treadle.folder / "one").mkdir()
    (treadle.folder / "two").mkdir()
    (treadle.folder / "one" / "treadle.toml").touch()
    (treadle.folder / "two" / "hello.sh").write_text("echo hello\n")
    (treadle.folder / "two" / "treadle.yaml").write_text("steps: {a: {script: hello.sh}}\n")
    # When the other is named through the project
    said = treadle("run", "one/../two")
    # Then it runs, and is valid
    assert "a | hello" in said
    treadle("validate", "one/../two/treadle.yaml")
