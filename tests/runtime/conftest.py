"""A bench for the function runtime."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.bench import RuntimeBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[RuntimeBench]:
    path, modules = list(sys.path), set(sys.modules)
    yield RuntimeBench(tmp_path)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]
