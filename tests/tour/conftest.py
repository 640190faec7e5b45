"""Each chapter runs on a data directory of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import treadle
from treadle.client import Client


@pytest.fixture
def t(tmp_path: Path) -> Iterator[Client]:
    """What `with treadle.local(slots=2) as t:` gives."""
    with treadle.local(slots=2, data_dir=tmp_path / "data") as t:
        yield t
