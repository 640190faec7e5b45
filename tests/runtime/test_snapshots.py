"""Snapshots laid out as files: read-only, whole, and put right when they were changed."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from treadle.errors import InvalidDefinition, MissingBlob
from treadle.runtime import snapshots
from treadle.runtime.snapshots import materialise
from treadle.storage.blobs import LocalBlobs
from treadle.storage.trees import remove_tree

FILES = {
    "a.py": "x = 1\n",
    "pkg/__init__.py": "",
    "pkg/deep/b.py": "y = 2\n",
    "run.sh": "#!/bin/sh\n",
    "data/table.csv": "1,2\n",
}


class Bench:
    """A blob store with the snapshots beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = LocalBlobs(folder / "blobs")

    def put(self, files: Mapping[str, str], links: Mapping[str, Any] | None = None) -> str:
        rows = {}
        for name, text in files.items():
            digest, size = self.blobs.put([text.encode()])
            rows[name] = [digest, size, 0o755 if name.endswith(".sh") else 0o644]
        told = {"files": rows, "links": dict(links or {})}
        return self.blobs.put([json.dumps(told).encode()])[0]

    def lay_out(self, digest: str) -> Path:
        for layout in snapshots._layouts.values():
            layout.look_again_at = 0.0
        return Path(materialise(digest, self.blobs, str(self.folder / "blobs")))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_files_and_folders_are_read_only(bench: Bench) -> None:
    folder = bench.lay_out(bench.put(FILES))

    assert contents(folder) == FILES
    modes = {str(p.relative_to(folder)): p.stat().st_mode & 0o777 for p in folder.rglob("*")}
    assert {modes[name] for name in FILES if name != "run.sh"} == {0o444}
    assert modes["run.sh"] == 0o555
    assert {modes[name] for name in ("pkg", "pkg/deep", "data")} == {0o555}
    assert folder.stat().st_mode & 0o777 == 0o555


def test_compiled_modules_are_kept_and_change_nothing(bench: Bench) -> None:
    digest = bench.put(FILES)
    folder = bench.lay_out(digest)

    script = "import sys; sys.dont_write_bytecode = False; import a, pkg.deep.b"
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)

    assert len(list(folder.rglob("*.pyc"))) == 3
    assert not (folder / "data/__pycache__").exists()
    before = (folder / "pkg/__pycache__").stat().st_ino
    assert bench.lay_out(digest) == folder
    assert (folder / "pkg/__pycache__").stat().st_ino == before


def edit(path: Path) -> None:
    path.chmod(0o644)
    path.write_text(path.read_text().upper())


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file edited": lambda f: edit(f / "a.py"),
    "a file deep down edited": lambda f: edit(f / "pkg/deep/b.py"),
    "a file removed": lambda f: (f / "pkg/__init__.py").unlink(),
    "a file more": lambda f: (f / "pkg/more.py").touch(),
    "a file more at the top": lambda f: (f / "more.py").touch(),
    "a folder more": lambda f: (f / "data/more").mkdir(),
    "a folder removed": lambda f: remove_tree(f / "pkg"),
    "a folder for a file": lambda f: ((f / "a.py").unlink(), (f / "a.py").mkdir()),
    "a file for a folder": lambda f: (remove_tree(f / "data"), (f / "data").touch()),
    "a link for a file": lambda f: ((f / "a.py").unlink(), (f / "a.py").symlink_to("run.sh")),
    "writable": lambda f: (f / "a.py").chmod(0o666),
    "a folder writable": lambda f: (f / "data").chmod(0o777),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_put_right(bench: Bench, change: str) -> None:
    # Given a snapshot in which somebody who may (root, or after chmod) changed something
    digest = bench.put(FILES)
    folder = bench.lay_out(digest)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and "writable" not in change:
            path.chmod(0o755)
    CHANGES[change](folder)

    # When it is used again
    bench.lay_out(digest)

    # Then it is as it was
    assert contents(folder) == FILES
    assert not (folder / "data/more").exists()
    layout = snapshots._layouts[str(folder)]
    assert layout.damage(str(folder)) == []
    assert [path.name for path in folder.parent.iterdir()] == [digest]


def test_a_look_is_not_taken_more_often_than_it_is_worth(bench: Bench) -> None:
    digest = bench.put(FILES)
    folder = bench.lay_out(digest)
    bench.lay_out(digest)
    layout = snapshots._layouts[str(folder)]
    layout.look_again_at = float("inf")
    edit(folder / "a.py")

    assert materialise(digest, bench.blobs, str(bench.folder / "blobs")) == str(folder)
    assert contents(folder) != FILES
    bench.lay_out(digest)
    assert contents(folder) == FILES


def test_a_damaged_snapshot_whose_blob_is_gone_says_so(bench: Bench) -> None:
    digest = bench.put(FILES)
    folder = bench.lay_out(digest)
    edit(folder / "a.py")
    row = json.loads(bytes(bench.blobs.open(digest)))["files"]["a.py"]
    (bench.folder / "blobs" / row[0][:2] / row[0]).unlink()

    with pytest.raises(MissingBlob):
        bench.lay_out(digest)


def test_many_at_once_lay_out_one(bench: Bench) -> None:
    digest = bench.put(FILES)
    found: list[Path] = []
    script = (
        "import sys; from treadle.runtime.snapshots import materialise\n"
        "from treadle.storage.blobs import open_blobs\n"
        "print(materialise(sys.argv[1], open_blobs(sys.argv[2], fsync=False), sys.argv[2]))"
    )

    def lay_out() -> None:
        command = [sys.executable, "-c", script, digest, str(bench.folder / "blobs")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(Path(done.stdout.strip()))

    threads = [threading.Thread(target=lay_out) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert len(found) == 4
    assert contents(found[0]) == FILES
    assert [path.name for path in (bench.folder / "snapshots").iterdir()] == [digest]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "large.csv"
    path.write_text("1,2,3\n")
    return path


def linked(bench: Bench, data: Path) -> str:
    status = data.stat()
    return bench.put(
        FILES, {"data/large.csv": [str(data), status.st_size, status.st_mtime_ns]}
    )  # fmt: skip


def test_large_data_files_are_links(bench: Bench, data: Path) -> None:
    folder = bench.lay_out(linked(bench, data))

    assert (folder / "data/large.csv").readlink() == data
    assert (folder / "data/large.csv").read_text() == "1,2,3\n"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.write_text("1,2\n"), "it had 6 bytes and has 4"),
        (lambda data: os.utime(data, (1, 1)), "written anew"),
        (lambda data: data.unlink(), "is not there any more"),
    ],
)
@pytest.mark.parametrize("is_there", [False, True], ids=["laid out", "used again"])
def test_a_data_file_that_has_changed_is_named(
    bench: Bench, data: Path, change: Callable[[Path], object], says: str, *, is_there: bool
) -> None:
    digest = linked(bench, data)
    if is_there:
        bench.lay_out(digest)
    change(data)

    with pytest.raises(InvalidDefinition, match=says) as caught:
        bench.lay_out(digest)

    assert "data/large.csv" in str(caught.value)
    assert "Run it again" in str(caught.value)


def test_a_read_only_tree_is_removed_by_anybody(bench: Bench, tmp_path: Path) -> None:
    folder = bench.lay_out(bench.put(FILES))
    if os.geteuid() == 0:
        for path in (tmp_path, folder.parent, folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
    script = (
        "import os, sys; from treadle.storage.trees import remove_tree\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "os.chdir(sys.argv[1]); remove_tree(sys.argv[2])"
    )
    for above in tmp_path.parents[:2]:
        if os.geteuid() == 0 and above.stat().st_uid == 0 and above != Path("/tmp"):
            above.chmod(0o755)
    subprocess.run([sys.executable, "-c", script, folder.parent, folder.name], check=True)

    assert not folder.exists()


def test_a_snapshot_that_is_taken_away_while_it_is_looked_at_is_made_anew(bench: Bench) -> None:
    # Given a process that has found the folder, and another that removes it then
    digest = bench.put(FILES)
    folder = bench.lay_out(digest)
    layout = snapshots._layouts[str(folder)]
    remove_tree(folder)
    # When the first looks for damage, and repairs it
    assert set(layout.damage(str(folder))) >= set(FILES)
    snapshots._repair(str(folder), layout, bench.blobs)
    # Then
    assert contents(folder) == FILES
    assert layout.damage(str(folder)) == []
