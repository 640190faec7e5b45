import pytest

from disks import disk_of


@pytest.fixture
def filling_disk(tmp_path):
    """A file system of 24 megabytes."""
    with disk_of("24m", tmp_path / "disk") as where:
        yield where
