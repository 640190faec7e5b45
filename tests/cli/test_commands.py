"""The commands that look at runs and keep the data directory, with no owner alive."""

import json
import subprocess

import pytest

import treadle as package


def test_without_any_run_ps_says_how_to_begin_one(treadle):
    done = treadle.all("ps")
    assert done.stdout == ""
    assert "treadle run FILE" in done.stderr
    assert treadle.json("ps") == {"runs": []}


def test_version_prints_the_version(treadle):
    assert treadle("version") == f"treadle {package.__version__}\n"
    assert treadle.json("version")["treadle"] == package.__version__


def test_help_names_the_environment_twin_of_every_flag(treadle):
    said = treadle("run", "--help")
    for name in ("TREADLE_DATA_DIR", "TREADLE_SLOTS", "TREADLE_RUN_PRIORITY", "TREADLE_JSON"):
        assert name in said


def test_a_flag_may_come_from_the_environment(treadle):
    treadle.variables["TREADLE_JSON"] = "1"
    assert json.loads(treadle("ps")) == {"runs": []}


def test_no_arguments_show_the_help(treadle):
    done = treadle.all(code=None)
    assert "Usage: treadle" in done.stdout + done.stderr


def test_a_command_that_is_not_there_is_a_mistake(treadle):
    assert treadle.all("rnu", code=2).returncode == 2


@pytest.fixture
def compared(treadle) -> str:
    """The id of a completed run."""
    return str(treadle.json("run", "pipelines.py:compare")["run"]["id"])


def test_ps_lists_runs_newest_first(treadle, compared):
    treadle("run", "pipelines.py:failing", code=1)
    heading, first, second = treadle("ps").splitlines()
    assert heading.split()[:4] == ["run", "pipeline", "state", "steps"]
    assert first.split()[1:4] == ["failing", "failed", "2/2"]
    assert second.split()[:4] == [compared, "compare", "completed", "5/5"]
    assert len(treadle.json("ps", "--limit", "1")["runs"]) == 1
    assert len(treadle.json("ps", "--all", "--pipeline", "compare")["runs"]) == 1


def test_show_tells_of_every_step(treadle, compared):
    said = treadle("show", compared)
    assert "compare" in said
    assert [line.split()[1] for line in said.splitlines() if line.startswith("✓")] == [
        "load", "train", "train-2", "train-3", "best",
    ]  # fmt: skip
    told = treadle.json("show", compared)
    assert told["run"]["id"] == compared
    assert len(told["jobs"]) == 5
    assert len(told["edges"]) == 6


def test_a_run_is_found_by_the_beginning_of_its_id_and_as_the_last(treadle, compared):
    for asked in (compared[:-3], compared.removeprefix("run_"), "@last"):
        assert treadle.json("show", asked)["run"]["id"] == compared


def test_an_unknown_run_is_a_mistake_with_a_next_step(treadle, compared):
    done = treadle.all("show", "run_nosuch", code=2)
    assert "There is no run" in done.stderr
    assert "treadle ps" in done.stderr
    assert treadle.json("show", "run_nosuch", code=2)["error"]["code"] == "not_found"


def test_logs_of_one_step_are_what_it_printed_byte_for_byte(treadle, compared):
    assert treadle("logs", compared, "load") == "loading wine\n"


def test_logs_of_a_run_name_the_step_before_each_line(treadle, compared):
    said = treadle("logs", compared).splitlines()
    assert said[0] == "load | loading wine"
    assert said.count("train-2 | forest epoch 1") == 1


def test_following_an_ended_run_shows_all_of_it_and_ends(treadle, compared):
    said = treadle("logs", "-f", compared).splitlines()
    assert "load | loading wine" in said
    assert "train-3 | boosting epoch 2" in said
    assert len(said) == 10


def test_logs_of_a_step_that_is_not_there_name_the_nearest(treadle, compared):
    done = treadle.all("logs", compared, "trian", code=2)
    assert "Did you mean 'train'?" in done.stderr


def test_logs_of_an_attempt_that_is_not_there_name_the_last(treadle, compared):
    done = treadle.all("logs", compared, "load", "--attempt", "3", code=2)
    assert "no attempt 3" in done.stderr
    assert "last one is 1" in done.stderr


def test_an_empty_id_is_a_mistake(treadle, compared):
    assert "id of the run is empty" in treadle.all("show", "", code=2).stderr


def test_show_all_explains_every_failure(treadle):
    treadle("run", "pipelines.py:breaking", "-q", code=1)
    told = treadle("show", "@last")
    assert told.count("(user): ValueError: cause") == 3
    assert "2 more failed steps" in told
    told = treadle("show", "@last", "--all")
    assert told.count("(user): ValueError: cause") == 5
    assert "more failed" not in told


def test_a_reader_that_has_enough_ends_logs_quietly(treadle):
    treadle("run", "pipelines.py:talkative", "-q")
    command = " ".join(treadle.command("logs", "@last", "talk"))
    done = subprocess.run(
        f"{command} | head -n 2", shell=True, capture_output=True, text=True, timeout=60,
        cwd=treadle.folder, env=treadle.environment,
    )  # fmt: skip
    assert done.stdout == "line 0\nline 1\n"
    assert done.stderr == ""


def test_metrics_are_a_table_of_last_values_with_what_tells_steps_apart(treadle, compared):
    heading, *rows = treadle("metrics", compared).splitlines()
    assert heading.split() == ["step", "model", "accuracy", "time"]
    assert [row.split()[:3] for row in rows] == [
        ["train", "logistic", "0.928"],
        ["train-2", "forest", "0.926"],
        ["train-3", "boosting", "0.928"],
    ]


def test_the_history_of_metrics_has_every_value(treadle, compared):
    assert len(treadle("metrics", compared, "--history").splitlines()) == 10
    values = treadle.json("metrics", compared)["metrics"]
    assert [v["step"] for v in values if v["job_step"] == "train"] == [0, 1, 2]


def test_artifacts_are_listed_with_type_and_size(treadle, compared):
    told = treadle.json("artifacts", compared)
    assert [each["step"] for each in told["artifacts"]] == [
        "load", "train", "train-2", "train-3", "best",
    ]  # fmt: skip
    assert {each["media_type"] for each in told["artifacts"]} == {"application/json"}
    assert "application/json" in treadle("artifacts", compared)


def test_get_prints_json_and_writes_files(treadle, compared):
    assert json.loads(treadle("get", compared, "best")) == {"model": "logistic", "accuracy": 0.92}
    treadle("get", compared, "best.result", "-o", "best.json")
    assert json.loads((treadle.folder / "best.json").read_text())["model"] == "logistic"
    told = treadle.json("get", compared, "best")
    assert told["value"]["model"] == "logistic"
    assert told["codec"] == "json"


def test_get_of_a_step_without_output_says_why(treadle):
    treadle("run", "pipelines.py:failing", code=1)
    done = treadle.all("get", "@last", "fail", code=2)
    assert "failed" in done.stderr


def test_a_removed_run_is_gone(treadle, compared):
    assert treadle.json("rm", compared) == {"removed": [compared]}
    treadle("show", compared, code=2)
    assert treadle.json("ps") == {"runs": []}


def test_gc_says_what_it_would_free(treadle, compared):
    told = treadle.json("gc", "--dry-run")
    assert told["dry_run"] is True
    assert {"blobs", "bytes", "runs"} <= told.keys()
    assert "would free" in treadle("gc", "--dry-run")
    assert treadle("gc").startswith("freed")


def test_aborting_an_ended_run_changes_nothing(treadle, compared):
    assert treadle.json("abort", compared)["run"]["state"] == "completed"


def test_doctor_finds_nothing_broken(treadle, compared):
    told = treadle.json("doctor")
    assert told["ok"] is True
    found = {each["what"]: each for each in told["findings"]}
    assert found["ledger"]["status"] == "ok"
    assert "none now" in found["owner"]["says"]


def test_doctor_names_a_damaged_ledger_and_exits_with_1(treadle):
    (treadle.folder / "data").mkdir()
    (treadle.folder / "data" / "ledger.db").write_bytes(b"this is no database" * 1000)
    done = treadle.all("doctor", code=1)
    assert "broken" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_data_directory_that_cannot_be_used_is_unavailable(treadle):
    (treadle.folder / "file").write_text("")
    done = treadle.all("run", "pipelines.py:compare", "--data-dir", "file/data", code=3)
    assert "file/data" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "asked", [["ps", "--nosuch"], ["nosuch"], ["logs"], ["ps", "--limit", "many"]]
)
def test_a_command_line_that_cannot_be_read_is_told_as_json_where_json_is_wanted(treadle, asked):
    told = treadle.json(*asked, code=2)["error"]
    assert told["code"] == "request.invalid"
    assert "--help" in told["hint"]
    assert treadle.all(*asked, "--json", code=2).stderr == ""


def test_the_exit_code_is_the_same_with_json(treadle):
    assert treadle.json("run", "pipelines.py:failing", code=1)["exit_code"] == 1


def test_a_data_directory_that_is_no_folder_is_said_and_not_taken_for_empty(treadle):
    (treadle.folder / "data").write_text("")
    done = treadle.all("ps", code=3)
    assert "is not a folder" in done.stderr
    assert "--data-dir" in done.stderr
