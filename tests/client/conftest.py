"""A real house on a real Unix socket, and a real server, one each for all tests of a module."""

import os

import pytest

import treadle
from cutting import proxy_to
from serving import running_server


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with treadle.local(data_dir=tmp_path_factory.mktemp("state"), slots=2) as client:
        yield client


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("served") / "state", "--slots", "2") as server:
        yield server


@pytest.fixture
def remote(server):
    """A client of the server, over TCP."""
    with treadle.Client(server.url, server.token) as client:
        yield client


@pytest.fixture
def proxy(server):
    """A proxy before the server, which breaks connections when it is told to."""
    with proxy_to(server.url) as proxy:
        yield proxy


@pytest.fixture
def gate(tmp_path):
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path
