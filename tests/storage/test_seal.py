"""Secrets in the ledger are sealed with a key of the data directory."""

import stat

import pytest

from treadle.errors import Unavailable
from treadle.storage.seal import FileSeal


def test_what_was_sealed_is_read_back_by_whoever_has_the_key(tmp_path):
    sealed = FileSeal(tmp_path / "key").seal("hunter2 \udcff é")
    assert b"hunter2" not in sealed
    assert FileSeal(tmp_path / "key").open(sealed) == "hunter2 \udcff é"
    assert FileSeal(tmp_path / "key").seal("hunter2") != FileSeal(tmp_path / "key").seal("hunter2")


def test_the_key_is_made_at_first_use_and_only_its_owner_may_read_it(tmp_path):
    seal = FileSeal(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []
    seal.seal("x")
    assert [file.name for file in tmp_path.iterdir()] == ["key"]
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_another_key_or_a_damaged_one_is_told(tmp_path):
    sealed = FileSeal(tmp_path / "key").seal("x")
    with pytest.raises(Unavailable, match="sealed with another key"):
        FileSeal(tmp_path / "other").open(sealed)
    (tmp_path / "damaged").write_bytes(b"no key")
    with pytest.raises(Unavailable, match=r"cannot be used.*backup"):
        FileSeal(tmp_path / "damaged").open(sealed)
