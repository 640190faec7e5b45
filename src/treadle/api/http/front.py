"""What a browser finds at the server's address."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Treadle</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 40rem; padding: 0 1rem;
       color-scheme: light dark; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid #8888; border-radius: .3rem; }
</style>
</head>
<body>
<h1>Treadle</h1>
<p>This is a Treadle server. With a token of yours, work with it from a terminal:</p>
<pre>treadle login {url}
treadle run pipeline.yaml --server {url}
treadle ps --server {url}</pre>
<p>or from Python:</p>
<pre>client = treadle.connect("{url}")</pre>
<p>Other programs find the API described in <a href="/api/v1/openapi.json">openapi.json</a>.
Whether the server takes work: <a href="/api/v1/health/ready">ready</a>.</p>
</body>
</html>
"""
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "cache-control": "no-cache",
}


async def get_front(request: Request) -> Response:
    """A page for whoever opens the server's address in a browser."""
    url = escape(str(request.base_url).rstrip("/"))
    return HTMLResponse(_PAGE.replace("{url}", url), headers=_HEADERS)
