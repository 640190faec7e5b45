"""What a browser finds at the server's address."""

import httpx


def test_a_browser_finds_a_page_that_says_how_to_go_on(server):
    answer = httpx.get(server.url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"treadle login {server.url}\n" in answer.text
    assert server.token not in answer.text
    assert "script" not in answer.text
    # A name of its own is refused, as everywhere
    assert httpx.get(server.url, headers={"host": "<b>evil"}).status_code >= 400
