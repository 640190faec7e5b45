"""Settings are read once, from four places, and mistakes in them are named."""

from datetime import timedelta
from pathlib import Path

import pytest

from treadle.errors import InvalidRequest
from treadle.model.quantities import duration, duration_text, size_bytes, size_text
from treadle.server import settings
from treadle.server.machine import cpu_count


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project" / "deep").mkdir(parents=True)
    return tmp_path / "project"


def load(project, **more):
    return settings.load(**({"cwd": project / "deep", "environ": {"HOME": "/home/analyst"}} | more))


def test_without_any_source_the_state_goes_to_the_users_data_folder(project):
    assert load(project).data_dir == Path("/home/analyst/.local/share/treadle")
    assert load(project, environ={"XDG_DATA_HOME": "/data"}).data_dir == Path("/data/treadle")


def test_a_data_directory_counts_before_a_server_that_was_named_further_away(project):
    (project / "treadle.toml").write_text('server = "http://box:8470"')
    assert load(project).server == "http://box:8470"
    assert load(project, environ={"TREADLE_DATA_DIR": "/data"}).server == ""
    assert load(project, data_dir="/data").server == ""
    both = {"TREADLE_DATA_DIR": "/data", "TREADLE_SERVER": "http://other:8470"}
    assert load(project, environ=both).server == "http://other:8470"


def test_each_source_wins_over_the_one_before(project):
    # Given a file above the working directory
    (project / "treadle.toml").write_text('slots = 3\noutput_limit = "1MB"\nretention_days = 7')
    # Then it wins over the defaults
    assert load(project).slots == 3
    # And the environment wins over the file
    environ = {"TREADLE_SLOTS": "4", "TREADLE_SLOT_MAX_AGE": "10m"}
    seen = load(project, environ=environ)
    assert (seen.slots, seen.output_limit, seen.slot_max_age) == (
        4,
        1_000_000,
        timedelta(minutes=10),
    )
    # And what is given explicitly wins over all, where None counts as not given
    assert load(project, environ=environ, slots=5).slots == 5
    assert load(project, environ=environ, slots=None).slots == 4


def test_paths_are_relative_to_where_they_are_written(project):
    (project / "treadle.toml").write_text('data_dir = "state"\nblobs = "s3://bucket/x"')
    assert load(project).data_dir == project / "state"
    assert load(project).blobs_address == "s3://bucket/x"
    assert load(project, data_dir="own").data_dir == project / "deep" / "own"
    assert load(project, blobs="own").blobs_address == str(project / "deep" / "own")
    assert settings.Settings(data_dir=Path("/d")).blobs_address == "/d/blobs"


def test_tables_of_the_file_belong_to_others(project):
    (project / "treadle.toml").write_text('slots = 2\n[project]\nname = "x"')
    assert load(project).slots == 2


@pytest.mark.parametrize(
    "line, says",
    [
        ("slot = 3", "there is no setting 'slot'. Did you mean 'slots'?"),
        ('slots = "many"', "slots = 'many': expected a whole number from 1"),
        ("slots = true", "expected a whole number"),
        ('durability = "forever"', "expected one of process, power"),
        ('log_level = "loud"', "expected one of debug, info, warning, error"),
        ('output_limit = "64 parrots"', "is no size"),
        ('slot_max_age = "soon"', "is no duration"),
        ("retention_days = -1", "expected a number of days"),
        ("data_dir = 3", "expected a folder"),
        ("slots = ", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_file_and_key(project, line, says):
    (project / "treadle.toml").write_text(line)
    with pytest.raises(InvalidRequest) as error:
        load(project)
    assert str(project / "treadle.toml") in str(error.value)
    assert says in str(error.value)


def test_a_misspelt_variable_is_named_and_a_foreign_one_left_alone(project):
    with pytest.raises(InvalidRequest, match=r"'TREADLE_SLOT'\. Did you mean 'TREADLE_SLOTS'"):
        load(project, environ={"TREADLE_SLOT": "3"})
    assert load(project, environ={"TREADLE_MARK": "x"})


def test_an_unknown_keyword_is_refused_too(project):
    with pytest.raises(InvalidRequest, match="'slotz'"):
        load(project, slotz=3)


def test_every_setting_is_described_in_the_reference():
    lines = settings.reference().splitlines()
    for name in settings.FIELDS:
        assert any(line.startswith(f"| `{name}` | `TREADLE_{name.upper()}`") for line in lines)


@pytest.mark.parametrize("text, size", [("64MB", 64 * 10**6), ("1.5GiB", 1536 * 2**20), ("7", 7)])
def test_sizes_are_read_as_people_write_them(text, size):
    assert size_bytes(text) == size
    assert size_bytes(size_text(size)) == size


@pytest.mark.parametrize("text, seconds", [("10m", 600), ("1h30m", 5400), ("250ms", 0.25), (3, 3)])
def test_durations_are_read_as_people_write_them(text, seconds):
    assert duration(text) == timedelta(seconds=seconds)
    assert duration(duration_text(duration(text))) == timedelta(seconds=seconds)


def test_a_container_with_a_quota_of_one_processor_gets_one_slot(tmp_path):
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert cpu_count(tmp_path) == 1
    assert cpu_count(tmp_path / "nothing") >= 1


def test_in_a_scripts_processes_its_own_variables_are_no_settings(project):
    # Given a step with an output called "limit" and a parameter nearly called like a setting
    own = {"TREADLE_OUTPUT_LIMIT": "/some/file", "TREADLE_PARAM_SLOTS": "x", "TREADLE_SLOTS": "3"}
    # Then they are left alone where the step runs, and only there
    seen = load(project, environ={**own, "TREADLE_JOB": "/some/job.json"})
    assert (seen.slots, seen.output_limit) == (3, settings.Settings().output_limit)
    with pytest.raises(InvalidRequest, match="TREADLE_OUTPUT_LIMIT"):
        load(project, environ=own)


@pytest.mark.parametrize(
    ("given", "modules"),
    [("numpy, a.b,", ("numpy", "a.b")), (["numpy"], ("numpy",)), ("", ())],
)
def test_modules_to_preload_are_a_list_or_have_commas_between_them(project, given, modules):
    assert load(project, preload=given).preload == modules


@pytest.mark.parametrize("given", ["a b", "-m", ["a", 3], 7])
def test_what_is_no_module_name_is_not_preloaded(project, given):
    with pytest.raises(InvalidRequest, match="preload"):
        load(project, preload=given)
