"""Every test of the engine gets a workbench, and leaves no process behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    workbench = Workbench(tmp_path)
    yield workbench
    assert workbench.left_over() == []
