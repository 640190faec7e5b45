"""The HTTP API as any program sees it: bytes over the owner's Unix socket, or over TCP."""

import contextlib
import socket
import uuid
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from blake3 import blake3

import treadle
from serving import running_server
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


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One that others can reach, in a process of its own."""
    options = ("--slots", "2")
    with running_server(tmp_path_factory.mktemp("up") / "state", *options) as server:
        yield server


@pytest.fixture(scope="module")
def owner(server):
    """Who has the owner's token."""
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=server.headers) as owner:
        yield owner


@pytest.fixture
def holding(server, owner):
    """A caller with a new token of these scopes; `token` is its text, `made` what was answered."""
    with contextlib.ExitStack() as stack:

        def make(*scopes: str, **fields: Any) -> httpx.Client:
            wanted = {"name": f"t{uuid.uuid4().hex[:12]}", "scopes": scopes, **fields}
            answer = owner.post("/tokens", json=wanted)
            assert answer.status_code == 201, answer.text
            made = answer.json()
            headers = {"Authorization": f"Bearer {made['text']}"}
            caller: Any = httpx.Client(base_url=f"{server.url}/api/v1", headers=headers)
            caller.token, caller.made = made["text"], made
            return stack.enter_context(caller)

        yield make


@pytest.fixture
def opened(server):
    """A connection to the server, from an address of its own if one is given; closed at the end."""
    with contextlib.ExitStack() as stack:

        def connect(source: str = "127.0.0.1") -> socket.socket:
            url = urlsplit(server.url)
            made = socket.create_connection(
                (url.hostname, url.port), timeout=60, source_address=(source, 0)
            )
            return stack.enter_context(made)

        yield connect
