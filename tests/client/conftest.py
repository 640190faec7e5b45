"""A real house on a real Unix socket, one for all tests of a module."""

import os

import pytest

import treadle


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with treadle.local(data_dir=tmp_path_factory.mktemp("state"), slots=2) as client:
        yield client


@pytest.fixture
def gate(tmp_path):
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path
