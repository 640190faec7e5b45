"""Bundles of files in no project: a Python file and the modules beside it, by content."""

import importlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from treadle.authoring import limits
from treadle.authoring.bundles import bundle
from treadle.errors import InvalidDefinition, TooLarge

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file below the test's folder, which no mark makes a project."""

    def write(name: str, source: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return path

    return write


def names(file: Path) -> list[str]:
    return list(bundle(file).files)


def test_a_bundle_has_the_file_its_siblings_and_packages_beside_it(write: Write) -> None:
    file = write("pipeline.py", "import helper, pkg, plain.deep")
    for name in (
        "helper.py",
        "pkg/__init__.py",
        "pkg/sub/inner.py",
        "plain/deep/module.py",
        "unused/module.py",
        ".hidden/module.py",
        ".secret.py",
        "__pycache__/helper.py",
        "venv/lib.py",
        "env311/pyvenv.cfg",
        "env311/lib.py",
        "data.csv",
    ):
        write(name, "")

    assert names(file) == [
        "helper.py",
        "pipeline.py",
        "pkg/__init__.py",
        "pkg/sub/inner.py",
        "plain/deep/module.py",
    ]


def test_a_plain_folder_counts_also_when_another_one_imports_it(write: Write) -> None:
    file = write("pipeline.py", "from first import x")
    write("first/x.py", "import second.y")
    write("second/y.py", "import broken")
    write("broken/z.py", "not python(")

    assert names(file) == ["broken/z.py", "first/x.py", "pipeline.py", "second/y.py"]


def test_imports_start_above_the_package_of_the_file(write: Write) -> None:
    write("top/__init__.py", "")
    file = write("top/sub/__init__.py", "").parent / "pipeline.py"
    file.write_text("")

    made = bundle(file)

    assert made.module == "top.sub.pipeline"
    assert "top/sub/pipeline.py" in made.files
    assert bundle(file.with_name("__init__.py")).module == "top.sub"


def test_the_manifest_is_the_same_wherever_and_whenever_it_is_made(write: Write) -> None:
    one = bundle(write("one/pipeline.py", "x = 1"))
    two_file = write("two/pipeline.py", "x = 1")
    os.utime(two_file, (1, 1))
    two_file.chmod(0o600)

    assert bundle(two_file).manifest == one.manifest
    digest = blake3(b"x = 1").hexdigest()
    assert json.loads(one.manifest) == {"files": {"pipeline.py": [digest, 5, 0o644]}}
    assert one.digest == blake3(one.manifest).hexdigest()


def test_an_edit_or_a_new_sibling_makes_another_bundle(write: Write) -> None:
    file = write("pipeline.py", "x = 1")
    first = bundle(file).digest

    file.write_text("x = 2")
    second = bundle(file).digest
    write("sibling.py", "")

    assert len({first, second, bundle(file).digest}) == 3


def test_files_are_named_with_their_place_size_and_mode(write: Write) -> None:
    file = write("pipeline.py", "x = 1\n")
    file.chmod(0o755)

    made = bundle(file).files["pipeline.py"]

    assert (made.path, made.size_bytes, made.mode) == (file, 6, 0o755)
    assert made.digest == blake3(b"x = 1\n").hexdigest()


def test_links_that_lead_out_or_in_circles_are_not_followed(write: Write, tmp_path: Path) -> None:
    outside = write("outside/secret.py", "")
    write("outside/pkg/__init__.py", "")
    file = write("project/pipeline.py", "")
    write("project/pkg/__init__.py", "")
    (tmp_path / "project/link.py").symlink_to(outside)
    (tmp_path / "project/linked").symlink_to(tmp_path / "outside/pkg")
    (tmp_path / "project/pkg/loop").symlink_to(tmp_path / "project/pkg")
    (tmp_path / "project/gone.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "project/alias.py").symlink_to(file)

    assert names(file) == ["alias.py", "pipeline.py", "pkg/__init__.py"]


def test_nothing_is_imported_or_run(write: Write) -> None:
    file = write("pipeline.py", "raise SystemExit('it ran')")

    assert names(file) == ["pipeline.py"]


def test_too_much_is_refused_naming_the_largest(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("pipeline.py", "")
    write("large.py", "x" * 2000)
    monkeypatch.setattr(limits, "MOST_BYTES", 1000)

    with pytest.raises(TooLarge, match=r"more than the 1,000 .* largest are large\.py"):
        bundle(file)


def test_too_many_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        file = write(f"module{number}.py", "")
    monkeypatch.setattr(limits, "MOST_FILES", 3)

    with pytest.raises(TooLarge, match="more than 3 modules"):
        bundle(file)


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """A folder seen by a user without rights; root may read everything."""
    if os.geteuid():
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


def test_an_unreadable_module_is_named(nobodys_folder: Path) -> None:
    if os.geteuid() == 65534:
        os.seteuid(0)
    file = nobodys_folder / "pipeline.py"
    file.write_text("")
    locked = nobodys_folder / "locked.py"
    locked.write_text("")
    locked.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)

    with pytest.raises(InvalidDefinition, match=r"locked\.py cannot be read: Permission denied"):
        bundle(file)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.py", "there is no file"),
        ("notes.txt", "is not a Python file"),
        ("v1.2.py", "a module's name has no dots"),
    ],
)
def test_what_is_no_python_file_is_refused(write: Write, name: str, message: str) -> None:
    folder = write("notes.txt", "").parent
    write("v1.2.py", "")

    with pytest.raises(InvalidDefinition, match=message):
        bundle(folder / name)


def test_a_module_in_a_folder_without_init_is_bundled_with_that_folder(tmp_path, monkeypatch):
    folder = tmp_path / "flows_of_mine"
    folder.mkdir()
    (folder / "one.py").write_text(
        "from treadle import pipeline, tool\n"
        "@tool\ndef f(): return 1\n"
        "@pipeline\ndef p(): return f()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("flows_of_mine.one")
    (bundle,) = module.p.trace().bundles
    assert list(bundle.files) == ["flows_of_mine/one.py"]


def test_scripts_and_requirements_that_the_modules_name_go_along(write: Write) -> None:
    # Given a pipeline in no project, beside other files
    file = write(
        "pipeline.py",
        "import treadle, more\n"
        "load = treadle.script('steps/load.sh')\n"
        "both = {'requirements': ['-r base.txt', 'six']}\n"
        "treadle.script('../out.sh'), treadle.script('no.sh'), treadle.script(__name__)\n",
    )
    write("more.py", "from treadle import tool\n@tool(environment='conda.yml')\ndef f(): ...\n")
    write("steps/load.sh", "echo").chmod(0o755)
    write("base.txt", "six\n-c limits.txt\n-r base.txt\n")
    for name in ("limits.txt", "conda.yml", "other.sh", "data.csv"):
        write(name, "")
    # When it is bundled
    bundled = bundle(file)
    # Then those that it names are in, with what they include, and no others
    expected = ["base.txt", "conda.yml", "limits.txt", "more.py", "pipeline.py", "steps/load.sh"]
    assert list(bundled.files) == expected
    assert bundled.files["steps/load.sh"].mode & 0o100
