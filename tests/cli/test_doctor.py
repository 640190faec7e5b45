"""What `treadle doctor` finds, on machines and in folders of all kinds."""

import os
import resource
from pathlib import Path

import pytest

from treadle.cli.checks import machine, programs
from treadle.cli.checks.cgroups import limits
from treadle.cli.checks.data import folder_size


def found(treadle, *arguments, code=0):
    told = treadle.json("doctor", *arguments, code=code)
    assert told["ok"] is (code == 0)
    return {each["what"]: each for each in told["findings"]}


def group(folder: Path, **values: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def test_every_line_that_is_not_in_order_says_the_next_step(treadle):
    for each in found(treadle).values():
        assert each["says"]
        assert each["status"] == "ok" or each["hint"]


def test_the_smallest_limit_on_the_way_up_counts(tmp_path):
    group(tmp_path / "cg", memory__max="900")
    group(tmp_path / "cg" / "a", memory__max="500", cpu__max="150000 100000")
    group(tmp_path / "cg" / "a" / "b", memory__max="max", cpu__max="max 100000", pids__max="64")
    member = tmp_path / "member"
    member.write_text("0::/a/b\n")
    told = limits(tmp_path / "cg", member)
    assert (told.memory_bytes, told.cpus, told.processes) == (500, 1.5, 64)


def test_limits_of_the_first_version_are_known_too(tmp_path):
    group(tmp_path / "memory" / "job", memory__limit_in_bytes="700")
    group(tmp_path / "memory", memory__limit_in_bytes="9223372036854771712")
    group(tmp_path / "cpu" / "job", cpu__cfs_quota_us="50000", cpu__cfs_period_us="100000")
    member = tmp_path / "member"
    member.write_text("5:memory:/job\n4:cpu,cpuacct:/job\n1:name=systemd:/\n")
    told = limits(tmp_path, member)
    assert (told.memory_bytes, told.cpus, told.processes) == (700, 0.5, None)


def test_a_container_that_sees_its_group_as_the_root_is_told_right(tmp_path):
    group(tmp_path / "cg", memory__max="500")
    member = tmp_path / "member"
    member.write_text("0::/../../system/somewhere/on/the/host\n")
    assert limits(tmp_path / "cg", member).memory_bytes == 500
    assert limits(tmp_path / "nosuch", tmp_path / "nosuch").memory_bytes is None


def test_more_slots_than_the_machine_has_room_for_are_doubted(treadle):
    treadle.variables["TREADLE_SLOTS"] = "5000"
    told = found(treadle, "--no-optional")
    assert told["processors"]["status"] == "warning"
    assert "TREADLE_SLOTS" in told["processors"]["hint"]
    assert told["memory"]["status"] == "warning"


def test_too_few_open_files_are_told_with_how_many_are_wanted(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, 4096))
    told = machine._open_files(4)
    assert told.status == "warning"
    assert "ulimit -n 192 (at most 4096 here)" in told.hint


def test_the_project_is_told_with_what_goes_along(treadle):
    assert "none: no treadle.toml" in found(treadle, "--no-optional")["project"]["says"]
    (treadle.folder / "treadle.toml").write_text("")
    (treadle.folder / "table.csv").write_bytes(b"x" * 2_000_000)
    (treadle.folder / ".gitignore").write_text("data\nsecret.txt\n")
    (treadle.folder / "secret.txt").write_text("")
    (treadle.folder / "away").symlink_to("/etc/hostname")
    told = found(treadle, "--no-optional")
    assert "treadle.toml" in told["project"]["says"]
    assert "largest table.csv (2.0 MB)" in told["files"]["says"]
    assert "secret.txt" not in told["files"]["says"]
    assert "away: it is a symbolic link out of the project" in told["left out"]["says"]


def test_a_project_that_is_too_large_is_broken(treadle):
    (treadle.folder / "treadle.toml").write_text("")
    for i in range(30):
        with (treadle.folder / f"part-{i}").open("wb") as file:
            os.truncate(file.fileno(), 9 << 20)
    told = found(treadle, "--no-optional", code=1)["files"]
    assert told["status"] == "broken"
    assert ".treadleignore" in told["hint"]


def test_a_pipeline_file_is_checked(treadle):
    file = treadle.folder / "treadle.yaml"
    file.write_text("name: wine\nsteps:\n  load: {command: [echo, hi]}\n")
    assert "valid, 1 step" in found(treadle, "--no-optional")["pipeline file"]["says"]
    file.write_text("name: wine\nsteps:\n  load: {comand: [echo, hi]}\n")
    told = found(treadle, "--no-optional", code=1)["pipeline file"]
    assert "treadle.yaml:3:" in told["says"]
    assert "treadle validate" in told["hint"]


def test_modules_to_preload_that_are_not_there_are_told(treadle):
    treadle.variables["TREADLE_PRELOAD"] = "json,nosuchmodule"
    assert "nosuchmodule: not installed" in found(treadle)["preload"]["says"]


def test_built_environments_are_counted_and_a_file_of_two_names_once(treadle):
    built = treadle.folder / "data" / "environments" / "abc"
    built.mkdir(parents=True)
    (built / "environment.json").write_text("{}")
    (built / "one").write_bytes(b"x" * 10_000)
    os.link(built / "one", built / "two")
    assert folder_size(built) == 10_002
    assert "1 built, 10.0 kB" in found(treadle, "--no-optional")["environments"]["says"]


def test_a_program_that_is_not_there_or_does_not_answer_says_how_to_get_it(tmp_path, monkeypatch):
    mute = tmp_path / "git"
    mute.write_text("#!/bin/sh\nexit 3\n")
    mute.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs._program("git", programs.PROGRAMS["git"]).status == "warning"
    told = programs._program("bash", programs.PROGRAMS["bash"])
    assert (told.status, "Install bash" in told.hint) == ("absent", True)


@pytest.mark.parametrize("name", ["python3.12", "python3.9"])
def test_interpreters_on_the_path_are_found(tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("#!/bin/sh\n")
    (tmp_path / name).chmod(0o755)
    (tmp_path / "python3.7-config").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    assert programs.interpreters() == {name.removeprefix("python"): str(tmp_path / name)}


def test_next_steps_stand_below_what_they_are_about(treadle):
    treadle.variables["TREADLE_SLOTS"] = "5000"
    lines = treadle("doctor", "--no-optional").splitlines()
    (index,) = [i for i, line in enumerate(lines) if line.startswith("warning  processors")]
    assert "TREADLE_SLOTS lower" in lines[index + 1]
