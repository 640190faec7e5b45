"""Modules are imported once for all slots; what cannot be is left out, and said."""

import logging
import sys
from pathlib import Path

import pytest

from engine.workbench import Floor, Story, Workbench
from treadle.model.records import FailureType


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that the engine's Python finds."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def loaded() -> list[object]:
    import os
    import sys
    import threading

    return [
        sorted(name for name in sys.modules if name.startswith("shelf_")),
        os.environ["OMP_NUM_THREADS"],
        threading.active_count(),
    ]


def _story(bench: Workbench, *preload: str) -> Story:
    return bench.play(lambda floor: floor.run(loaded), preload=preload)


def test_what_is_preloaded_is_there_at_once(bench: Workbench, shelf: Path) -> None:
    (shelf / "shelf_good.py").write_text("import os\nSEEN = os.environ['OMP_NUM_THREADS']\n")
    assert _story(bench, "shelf_good").result == [["shelf_good"], "1", 1]


def test_a_module_that_cannot_be_imported_is_told_and_left_out(
    bench: Workbench, shelf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (shelf / "shelf_bad.py").write_text("raise SystemExit('no')\n")
    (shelf / "shelf_good.py").write_text("")
    with caplog.at_level(logging.WARNING, "treadle.engine"):
        story = _story(bench, "shelf_bad", "shelf_none", "shelf_good")
    assert story.result[0] == ["shelf_good"]
    assert "preload: shelf_bad is left out: SystemExit: no" in caplog.text
    assert "preload: shelf_none is left out: ModuleNotFoundError" in caplog.text


def test_a_module_that_starts_threads_is_undone(
    bench: Workbench, shelf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (shelf / "shelf_busy.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    (shelf / "shelf_good.py").write_text("")
    with caplog.at_level(logging.WARNING, "treadle.engine"):
        story = _story(bench, "shelf_busy", "shelf_good")
    assert story.result == [["shelf_good"], "1", 1]
    assert "preload: shelf_busy is left out: it starts threads when imported." in caplog.text


def test_a_module_that_ends_the_process_costs_the_preloading_not_the_jobs(
    bench: Workbench, shelf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (shelf / "shelf_fatal.py").write_text(
        "import os, sys\nprint('cannot go on', file=sys.stderr, flush=True)\nos._exit(9)\n"
    )

    async def scene(floor: Floor) -> list[Story]:
        code = bench.code(loaded)
        first = await floor.run(loaded, digest=code)
        return [first, await floor.run(loaded, digest=code)]

    with caplog.at_level(logging.WARNING, "treadle.engine"):
        first, second = bench.play(scene, preload=("shelf_fatal",))
    assert first.report.outcome in ("lost", "completed")
    assert second.result[0] == []
    assert "preload: nothing is: the process ended: cannot go on" in caplog.text


def test_numeric_libraries_get_the_threads_of_the_job_back(bench: Workbench) -> None:
    pytest.importorskip("numpy")
    pytest.importorskip("threadpoolctl")

    def threads() -> list[int]:
        import threadpoolctl

        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]

    async def scene(floor: Floor) -> list[Story]:
        code = bench.code(threads)
        return [await floor.run(threads, digest=code, cpus=cpus) for cpus in (1, 2)]

    one, two = bench.play(scene, preload=("numpy",), cpus=2)
    assert one.result and set(one.result) == {1}
    assert two.result and set(two.result) == {2}


def test_a_fork_server_that_cannot_start_tells_why(
    bench: Workbench, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shelf / "blake3.py").write_text("raise ImportError('blake3 is broken', name='blake3')\n")
    failure = bench.run(loaded).failure
    assert failure.type == FailureType.INTERNAL
    assert "cannot start: It has no package blake3" in failure.message
    assert "blake3" in failure.certificate.last_lines


def test_a_fork_server_without_an_interpreter_to_run_is_told(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'it is broken' >&2\nexit 1\n")
    broken.chmod(0o755)
    order = bench.order(loaded)
    monkeypatch.setattr(sys, "executable", str(broken))

    async def scene(floor: Floor) -> Story:
        floor.engine.start(order)
        return await floor.ended(order.attempt)

    assert "cannot start: it is broken" in bench.play(scene).failure.message
