"""Tokens that are remembered, and where a client takes its own from."""

import stat

import pytest

from treadle.client import Client
from treadle.client.address import is_loopback
from treadle.client.credentials import credentials_file, forget, remember, token_for
from treadle.errors import InvalidRequest, Unauthorized, Unavailable


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TREADLE_TOKEN", raising=False)
    return tmp_path / "config"


def test_a_token_is_remembered_for_its_address_alone(home):
    assert token_for("https://box:8470") is None
    assert remember("https://Box:8470/", "trd_a_b\n") == home / "treadle/credentials.json"
    remember("https://other", "trd_c_d")
    assert token_for("https://box:8470") == "trd_a_b"
    assert token_for("https://other:443") == "trd_c_d"
    assert token_for("http://box:8470") is None
    assert forget("https://box:8470")
    assert not forget("https://box:8470")
    assert token_for("https://other") == "trd_c_d"


def test_only_the_user_can_read_them():
    file = remember("https://box:8470", "trd_a_b")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o644)
    with pytest.raises(InvalidRequest, match=r"Others.*can read.*chmod 600"):
        token_for("https://box:8470")


def test_a_damaged_file_is_named():
    file = remember("https://box:8470", "trd_a_b")
    for text in ("{", "[]"):
        file.write_text(text)
        with pytest.raises(InvalidRequest, match="is damaged"):
            token_for("https://box:8470")


def test_a_folder_that_cannot_be_written_is_named(home):
    home.write_text("a file")
    with pytest.raises(Unavailable, match="cannot be used"):
        remember("https://box:8470", "trd_a_b")


def test_what_is_no_token_is_refused():
    for text in ("", "  ", "two\nlines"):
        with pytest.raises(InvalidRequest, match="no token"):
            remember("https://box:8470", text)


def test_the_variable_comes_before_what_is_remembered(monkeypatch):
    remember("https://box:8470", "trd_a_b")
    monkeypatch.setenv("TREADLE_TOKEN", "trd_e_f")
    assert token_for("https://box:8470") == "trd_e_f"


def test_a_client_uses_what_is_remembered(server, monkeypatch):
    with Client(server.url) as client, pytest.raises(Unauthorized):
        list(client.runs())
    remember(server.url, server.token)
    with Client(server.url) as client:
        assert client.health()["status"] == "ok"
    assert server.token not in repr(client)
    assert credentials_file().is_file()


@pytest.mark.parametrize(
    "url, here",
    [
        ("http://127.0.0.1:1", True),
        ("http://127.8.9.1:1", True),
        ("http://[::1]:1", True),
        ("http://localhost:1", True),
        ("http://box:1", False),
        ("http://10.0.0.1:1", False),
        ("http://127.0.0.1.example:1", False),
    ],
)
def test_which_addresses_are_on_this_machine(url, here):
    assert is_loopback(url) is here
