"""The HTTP API as any program sees it: bytes over the owner's Unix socket."""

import httpx
import pytest
from blake3 import blake3

import treadle
from treadle.server.ownership import read_card


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("state")
    with treadle.local(data_dir=data_dir, slots=2, request_limit="1MB") as client:
        yield client


@pytest.fixture(scope="module")
def http(client):
    socket = read_card(client.link.settings.data_dir).socket
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=socket), base_url="http://treadle/api/v1", timeout=30
    ) as http:
        yield http


@pytest.fixture
def stored(http):
    """Put bytes; their digest."""

    def put(data: bytes) -> str:
        digest = blake3(data).hexdigest()
        assert http.put(f"/blobs/{digest}", content=data).status_code == 201
        return digest

    return put
