"""Where a function's code comes from."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from blake3 import blake3

from runtime.bench import RuntimeBench
from treadle.model.records import Code, Failure, FailureType
from treadle.storage.blobs import load_value


def snapshot(bench: RuntimeBench, files: Mapping[str, str]) -> str:
    rows = {}
    for name, text in files.items():
        digest, size = bench.blobs.put([text.encode()])
        rows[name] = [digest, size, 0o644]
    manifest = json.dumps({"files": rows}, sort_keys=True, separators=(",", ":")).encode()
    digest, _ = bench.blobs.put([manifest])
    assert digest == blake3(manifest).hexdigest()
    return digest


def perform(bench: RuntimeBench, files: Mapping[str, str], entry: str) -> object:
    code = Code(kind="snapshot", digest=snapshot(bench, files), entry=entry)
    report = bench.perform_order(bench.order("x"), code=code)
    if report.failure is not None:
        return report.failure
    return load_value(bench.blobs, report.outputs["result"])


def failure(bench: RuntimeBench, files: Mapping[str, str], entry: str) -> Failure:
    failed = perform(bench, files, entry)
    assert isinstance(failed, Failure)
    return failed


def test_a_snapshot_is_laid_out_once_and_its_modules_import_each_other(
    bench: RuntimeBench,
) -> None:
    files = {
        "snap_a.py": "from snap_pkg.b import two\nclass Box:\n    @staticmethod\n"
        "    def three():\n        return two() + 1\n",
        "snap_pkg/__init__.py": "",
        "snap_pkg/b.py": "def two():\n    return 2\n",
    }
    assert perform(bench, files, "snap_a:Box.three") == 3
    assert perform(bench, files, "snap_a:Box.three") == 3
    folders = list((bench.folder / "snapshots").iterdir())
    assert [folder.name for folder in folders] == [snapshot(bench, files)]


def test_installed_code_needs_no_snapshot(bench: RuntimeBench) -> None:
    code = Code(kind="snapshot", digest="", entry="os:getpid")
    report = bench.perform_order(bench.order("x"), code=code)
    assert report.outcome == "completed"


def test_a_draft_of_a_dead_process_is_cleared_away(bench: RuntimeBench) -> None:
    files = {"snap_c.py": "def one():\n    return 1\n"}
    draft = bench.folder / "snapshots" / f".{snapshot(bench, files)}.999999999"
    draft.mkdir(parents=True)
    assert perform(bench, files, "snap_c:one") == 1
    assert not draft.exists()


def test_a_snapshot_cannot_write_outside_its_folder(bench: RuntimeBench, tmp_path: Path) -> None:
    failed = failure(bench, {"../evil.py": "x = 1"}, "evil:x")
    assert failed.type == FailureType.BUILD
    assert "outside" in failed.message
    assert not (tmp_path / "snapshots" / "evil.py").exists()


def test_a_missing_module_is_named_with_what_to_do(bench: RuntimeBench) -> None:
    files = {"snap_d.py": "import no_such_package.part\ndef f(): ...\n"}
    failed = failure(bench, files, "snap_d:f")
    assert failed.type == FailureType.BUILD
    assert failed.exception == "ModuleNotFoundError"
    assert "'no_such_package'" in failed.hint
    assert "Install" in failed.hint
    assert "snap_d.py" in failed.traceback
    assert "importlib" not in failed.traceback


def test_an_import_inside_the_function_that_fails_has_the_hint_too(bench: RuntimeBench) -> None:
    def late() -> None:
        import no_such_package  # noqa: F401

    failed = bench.failure(late)
    assert failed.type == FailureType.USER
    assert "'no_such_package'" in failed.hint


def test_a_missing_function_is_named(bench: RuntimeBench) -> None:
    assert "'gone'" in failure(bench, {"snap_e.py": ""}, "snap_e:gone").message
    digest = bench.code(snapshot)
    assert "'other'" in bench.failure("other", digest=digest).message


def test_a_module_that_raises_while_it_loads_is_the_users_failure(bench: RuntimeBench) -> None:
    failed = failure(bench, {"snap_f.py": "1 / 0\n"}, "snap_f:f")
    assert (failed.type, failed.exception) == (FailureType.USER, "ZeroDivisionError")
    broken = failure(bench, {"snap_g.py": "def f(:\n"}, "snap_g:f")
    assert (broken.type, broken.exception) == (FailureType.USER, "SyntaxError")
    assert broken.message == "SyntaxError: invalid syntax"


@pytest.mark.parametrize("kind", ["value", "snapshot"])
def test_code_that_is_not_stored_is_a_build_failure(bench: RuntimeBench, kind: str) -> None:
    code = Code(kind=kind, digest="0" * 64, entry="m:f")  # type: ignore[arg-type]
    report = bench.perform_order(bench.order("x"), code=code)
    assert report.failure is not None
    assert report.failure.type == FailureType.BUILD


def test_a_disk_without_room_for_the_code_is_named(bench: RuntimeBench, small_disk: Path) -> None:
    from treadle.storage.blobs import LocalBlobs

    bench.folder, bench.blobs = small_disk, LocalBlobs(small_disk / "blobs")
    files = {"snap_h.py": "def f(): ...\n" + "#" * 600_000}
    failed = failure(bench, files, "snap_h:f")
    assert failed.type == FailureType.BUILD
    assert "No space left" in failed.message
    assert list((small_disk / "snapshots").iterdir()) == []
