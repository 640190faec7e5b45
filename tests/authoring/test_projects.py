"""Bundles of whole projects: what goes along, what it costs the second time, what goes wrong."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from treadle.authoring import bundles, contents, index, limits
from treadle.authoring.bundles import Bundle, bundle
from treadle.authoring.code import CodeChooser
from treadle.authoring.projects import look
from treadle.errors import Conflict, InvalidDefinition, TooLarge
from treadle.storage.trees import remove_tree

Write = Callable[..., Path]
HOUR_NS = 3600 * 10**9


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *names, *arguments], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def later() -> Iterator[None]:
    """Two hours from now, by the clock that the index asks: what is there now has settled."""
    now = time.time_ns
    patch = pytest.MonkeyPatch()
    patch.setattr(time, "time_ns", lambda: now() + 2 * HOUR_NS)
    yield
    patch.undo()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content was read."""
    names: list[str] = []
    real = contents.digest_of

    def digest_of(path: str, status: os.stat_result) -> tuple[str, os.stat_result]:
        names.append(os.path.basename(path))
        return real(path, status)

    monkeypatch.setattr(bundles, "digest_of", digest_of)
    return names


def names(made: Bundle) -> set[str]:
    return set(made.files) - {"treadle.toml"}


# what goes along


def test_a_file_in_a_project_goes_with_all_of_it(write: Write, tmp_path: Path) -> None:
    file = write("src/pkg/sub/flow.py", "")
    for name in ("src/pkg/__init__.py", "src/pkg/sub/__init__.py", "data/table.csv", "run.sh"):
        write(name, "")

    made = bundle(file)

    assert (made.root, made.folder, made.module) == (tmp_path, "src", "pkg.sub.flow")
    assert made.project_dir == tmp_path
    assert names(made) == {
        "src/pkg/__init__.py", "src/pkg/sub/__init__.py", "src/pkg/sub/flow.py", "data/table.csv",
        "run.sh",
    }  # fmt: skip


def test_a_pipeline_file_works_in_its_own_folder(write: Write, tmp_path: Path) -> None:
    file = write("flows/daily/treadle.yaml", "")
    made = bundle(file)
    assert (made.root, made.folder, made.module) == (tmp_path, "flows/daily", "")

    (tmp_path / "treadle.toml").unlink()
    alone = bundle(file)
    assert (alone.root, alone.folder, names(alone)) == (file.parent, "", {"treadle.yaml"})


def test_the_manifest_says_what_is_there(write: Write) -> None:
    file = write("flow.py", "x = 1")
    write("run.sh", "").chmod(0o755)

    made = bundle(file)

    empty = blake3(b"").hexdigest()
    assert json.loads(made.manifest) == {
        "files": {
            "flow.py": [blake3(b"x = 1").hexdigest(), 5, 0o644],
            "run.sh": [empty, 0, 0o755],
            "treadle.toml": [empty, 0, 0o644],
        }
    }
    assert made.digest == blake3(made.manifest).hexdigest()
    assert made.source.snapshot == made.digest
    assert (made.source.root, made.source.file) == (str(made.root), "flow.py")


def test_a_file_that_a_rule_leaves_out_goes_with_its_neighbours(write: Write) -> None:
    write(".gitignore", "scratch/\n")
    file = write("scratch/try.py", "import helper")
    write("scratch/helper.py", "")
    write("big.csv", "")

    made = bundle(file)

    assert (made.root, set(made.files)) == (file.parent, {"try.py", "helper.py"})


def test_a_project_that_is_a_package_itself_counts_by_its_neighbours(write: Write) -> None:
    write("pkg/pyproject.toml", "")
    write("pkg/__init__.py", "")
    file = write("pkg/flow.py", "")

    made = bundle(file)

    assert (made.module, made.folder) == ("pkg.flow", "")
    assert set(made.files) == {"pkg/flow.py", "pkg/__init__.py"}


def test_functions_of_a_process_take_their_project_along(write: Write, first_on_path: Path) -> None:
    write("lib/project_h/__init__.py", "")
    write("lib/project_h/steps.py", "from treadle import tool\n@tool\ndef f(): return 1\n")
    write("table.csv", "")
    sys.path.insert(0, str(first_on_path / "lib"))
    try:
        from project_h.steps import f  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(first_on_path / "lib"))
    pinned = CodeChooser().pin([f])

    (code,) = pinned.codes.values()
    (made,) = pinned.bundles
    assert (code.entry, code.folder) == ("project_h.steps:f", "lib")
    assert (code.digest, code.project_dir) == (made.digest, str(first_on_path))
    assert "table.csv" in made.files


# large files


def test_large_data_files_are_linked_with_size_and_time(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINKED_FROM_BYTES", 1000)
    file = write("flow.py", "#" * 2000)
    data = write("data/large.csv", "x" * 2000)

    made = bundle(file)

    assert names(made) == {"flow.py"}
    assert made.links == {"data/large.csv": (str(data), 2000, data.stat().st_mtime_ns)}
    assert "links" in json.loads(made.manifest)
    os.utime(data, (1, 1))
    assert bundle(file).digest != made.digest


def test_too_much_is_refused_with_the_largest_and_what_to_do(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 1000)
    file = write("flow.py", "")
    for number in range(8):
        write(f"data/{number}.bin", "x" * 100 * (number + 1))

    with pytest.raises(TooLarge) as caught:
        bundle(file)

    assert "the largest are data/7.bin (800 bytes), data/6.bin (700 bytes)" in str(caught.value)
    assert "data/1.bin" not in str(caught.value)
    assert ".treadleignore" in str(caught.value)


def test_too_many_files_are_refused_with_where_they_are_and_why_it_is_taken_for_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_FILES", 30)
    (tmp_path / ".git").mkdir()
    (tmp_path / "work").mkdir()
    file = tmp_path / "work/flow.py"
    file.touch()
    (tmp_path / "music").mkdir()
    for number in range(40):
        (tmp_path / "music" / f"{number}.ogg").touch()

    with pytest.raises(TooLarge) as caught:
        bundle(file)

    assert "more than 30 files; most so far in music/ (40)" in str(caught.value)
    assert "because of its .git" in str(caught.value)
    assert "empty treadle.toml" in str(caught.value)


# what it costs the second time


def test_what_has_not_changed_is_not_read_again(write: Write, later: None, read: list[str]) -> None:
    file = write("flow.py", "x = 1")
    write("pkg/__init__.py", "")
    first = bundle(file)
    assert sorted(read) == ["__init__.py", "flow.py", "treadle.toml"]

    read.clear()
    again = bundle(file)

    assert read == []
    assert again == first


@pytest.mark.parametrize("keep_time", [False, True])
def test_an_edit_is_seen_though_size_and_time_stay(
    write: Write, later: None, read: list[str], *, keep_time: bool
) -> None:
    file = write("flow.py", "x = 1")
    first, before = bundle(file), file.stat()
    read.clear()

    file.write_text("x = 2")
    if keep_time:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert bundle(file).digest != first.digest
    assert read == ["flow.py"]


def test_what_was_written_just_now_is_read_again(write: Write, read: list[str]) -> None:
    # Within one tick of the clock a file may change and show the same times and size.
    file = write("flow.py", "x = 1")
    bundle(file)
    read.clear()

    bundle(file)

    assert "flow.py" in read


def test_files_that_come_and_go_are_seen(write: Write, tmp_path: Path, later: None) -> None:
    file = write("flow.py", "")
    write("pkg/a.py", "")
    write("gone/b.py", "")
    bundle(file)

    write("pkg/new.py", "")
    (tmp_path / "gone/b.py").unlink()
    (tmp_path / "gone").rmdir()

    assert names(bundle(file)) == {"flow.py", "pkg/a.py", "pkg/new.py"}


def test_a_changed_rule_is_in_force_at_once(write: Write, later: None) -> None:
    file = write("flow.py", "")
    write("deep/down/a.csv", "")
    assert "deep/down/a.csv" in bundle(file).files

    write(".gitignore", "*.csv\n")
    assert "deep/down/a.csv" not in bundle(file).files
    write(".gitignore", "*.txt\n")
    assert "deep/down/a.csv" in bundle(file).files
    write("deep/.treadleignore", "*.csv\n")
    assert "deep/down/a.csv" not in bundle(file).files


@pytest.mark.parametrize("damage", [b"", b"{", b'{"version":9,"root":"","folders":{}}', b"\xff"])
def test_a_damaged_index_is_harmless(
    write: Write, cache_home: Path, later: None, damage: bytes
) -> None:
    file = write("flow.py", "x = 1")
    first = bundle(file)
    path = index._path(file.parent, None)
    assert path.is_relative_to(cache_home)

    path.write_bytes(damage)

    assert bundle(file) == first
    path.unlink()
    assert bundle(file) == first


def test_without_a_cache_folder_all_is_read_each_time(
    write: Write, later: None, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nothing")
    file = write("flow.py", "x = 1")
    assert bundle(file) == bundle(file)
    assert read.count("flow.py") == 2


def test_several_at_once_agree(write: Write) -> None:
    file = write("flow.py", "")
    for number in range(50):
        write(f"pkg{number % 5}/module{number}.py", str(number))
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(bundle(file).digest)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 6
    assert len(set(found)) == 1
    assert not list(index._path(file.parent, None).parent.glob(".*"))


# faults


def test_links_are_what_they_point_to_or_stay_out(write: Write, tmp_path: Path) -> None:
    outside = Path(tempfile.mkdtemp(dir=tmp_path.parent))
    (outside / "secret.py").write_text("")
    file = write("flow.py", "")
    write("pkg/a.py", "x = 1")
    write(".env", "PASSWORD=x")
    for name, target in {
        "alias.py": "pkg/a.py",
        "packages": "pkg",
        "pkg/loop": "..",
        "out.py": str(outside / "secret.py"),
        "out": str(outside),
        "gone": "nowhere",
        "me": "me",
        "config": ".env",
    }.items():
        (tmp_path / name).symlink_to(target)

    made = bundle(file)

    assert names(made) == {"flow.py", "pkg/a.py", "alias.py", "packages/a.py"}
    assert made.files["alias.py"].digest == blake3(b"x = 1").hexdigest()
    assert set(made.left_out) == {"pkg/loop", "packages/loop", "out.py", "out", "gone", "me"}
    assert "out of the project" in made.left_out["out.py"]


def test_a_link_to_a_changed_file_is_seen(write: Write, tmp_path: Path, later: None) -> None:
    file, target = write("flow.py", ""), write("pkg/a.py", "x = 1")
    (tmp_path / "alias.py").symlink_to(target)
    first = bundle(file)
    target.write_text("x = 2")
    assert bundle(file).files["alias.py"].digest != first.files["alias.py"].digest


def test_a_pipeline_that_is_a_link_out_of_the_project_is_refused(
    write: Write, tmp_path: Path
) -> None:
    outside = Path(tempfile.mkdtemp(dir=tmp_path.parent))
    (outside / "flow.py").write_text("")
    link = write("any.py", "").with_name("flow.py")
    link.symlink_to(outside / "flow.py")

    with pytest.raises(InvalidDefinition, match=r"flow\.py cannot go along .* out of the project"):
        bundle(link)


def test_pipes_sockets_and_odd_names_stay_out(write: Write, tmp_path: Path) -> None:
    file = write("flow.py", "")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "two\nlines").touch()
    with open(os.fsencode(tmp_path) + b"/\xff.txt", "w"):
        pass
    write("größe ✓.txt", "")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(tmp_path)
        listening.bind("socket")
        os.chdir(here)
        made = bundle(file)

    assert names(made) == {"flow.py", "größe ✓.txt"}
    assert set(made.left_out) == {"pipe", "socket", "two\nlines", "\\udcff.txt"}


def test_a_file_that_goes_on_changing_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("flow.py", "x")
    log = write("log.txt", "x")
    real = contents._digest

    def digest(descriptor: int) -> str:
        if os.fstat(descriptor).st_ino == log.stat().st_ino:
            with log.open("a") as more:
                more.write("and on")
        return real(descriptor)

    monkeypatch.setattr(contents, "_digest", digest)
    with pytest.raises(Conflict, match=r"log\.txt changes while it is read.*\.treadleignore"):
        bundle(file)


def test_a_file_that_changes_once_is_read_again(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("flow.py", "x")
    real, edits = contents._digest, ["y = 1"]

    def digest(descriptor: int) -> str:
        found = real(descriptor)
        if edits and os.fstat(descriptor).st_ino == file.stat().st_ino:
            file.write_text(edits.pop())
        return found

    monkeypatch.setattr(contents, "_digest", digest)
    assert bundle(file).files["flow.py"].digest == blake3(b"y = 1").hexdigest()


def test_a_file_that_goes_away_meanwhile_is_left_out(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, passing = write("flow.py", ""), write("passing.swp", "")
    real = bundles.digest_of

    def digest_of(path: str, status: os.stat_result) -> tuple[str, os.stat_result]:
        passing.unlink(missing_ok=True)
        return real(path, status)

    monkeypatch.setattr(bundles, "digest_of", digest_of)
    assert names(bundle(file)) == {"flow.py"}


AS_NOBODY = """
import os, sys
from pathlib import Path
from treadle.authoring.bundles import bundle
from treadle.errors import InvalidDefinition
os.environ["XDG_CACHE_HOME"] = sys.argv[2]
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    bundle(Path(sys.argv[1]))
except InvalidDefinition as error:
    print(error)
"""


@pytest.mark.parametrize("locked", ["data.csv", "folder"])
def test_what_cannot_be_read_is_named(locked: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "treadle.toml").touch()
        (root / "flow.py").touch()
        (root / "folder").mkdir()
        (root / "data.csv").touch()
        (root / locked).chmod(0)

        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(root / "flow.py"), str(root / "none")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip

        (root / locked).chmod(0o755)
    assert f"{root}/{locked} cannot be read: Permission denied" in done.stdout
    assert ".treadleignore" in done.stdout


def test_nothing_is_written_into_the_project(write: Write, tmp_path: Path) -> None:
    file = write("flow.py", "")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "flow.py")
    git(tmp_path, "commit", "-qm", "one")
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}

    bundle(file)

    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_very_deep_folders_are_walked_through(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(1200):
        deep = deep / "d"
        os.mkdir(deep)
    (deep / "a").touch()

    assert [found.name.count("/") for found in look(tmp_path).files] == [1200]
    remove_tree(tmp_path / "d")  # pytest's own cleaning does not get so far down
    assert not (tmp_path / "d").exists()
