"""`treadle up` as its user meets it: a process, its words, its door and its end."""

import json

import httpx

from serving import running_server


def test_a_server_tells_where_it_is_and_answers_who_has_the_token(tmp_path):
    with running_server(tmp_path / "state", "--slots", "3") as server:
        open_to_all = httpx.get(f"{server.url}/api/v1/runs")
        told = httpx.get(f"{server.url}/api/v1/health", headers=server.headers).json()

    assert open_to_all.status_code == 401
    assert told["status"] == "ok"
    assert told["slots"]["total"] == 3


def test_what_asks_for_its_end_ends_it_in_good_order(tmp_path):
    with running_server(tmp_path / "state") as server:
        card = json.loads((server.data_dir / "owner.json").read_text())
        server.process.terminate()

        assert server.ended() == 0
        assert card["url"] == server.url
        assert not (server.data_dir / "owner.sock").exists()
