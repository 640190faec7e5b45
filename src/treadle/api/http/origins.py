"""Which names a door answers to, and which web pages may ask through it.

A web page of a stranger can make the reader's browser send requests to a server on the reader's
machine. The browser names the page (Origin), or, where the stranger's name was made to lead here
(DNS rebinding), the stranger's name (Host). Both are refused, whatever else the request holds.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import Scope

from treadle.api.http.state import House
from treadle.errors import Forbidden, InvalidRequest

_Origin = tuple[str, str, int | None]  # scheme, host, port
_PORTS = {"http": 80, "https": 443}
_AS_HTTP = {"ws": "http", "wss": "https"}


def check_host_and_origin(scope: Scope, house: House) -> None:
    """Raises InvalidRequest without one Host, Forbidden for a name or page that is not ours."""
    headers = HTTPConnection(scope).headers
    given = headers.getlist("host")
    if len(given) != 1:
        raise InvalidRequest("A request needs one Host header.")
    host = _host_name(given[0])
    if not _is_ours(host, scope, house):
        raise Forbidden(
            f"This server does not answer to the name {host[:80]!r}.",
            hint="Add it to the setting `allowed_hosts` of the server if it should.",
        )
    for origin in headers.getlist("origin"):
        _check_origin(origin, given[0], scope, house)


def _check_origin(origin: str, host: str, scope: Scope, house: House) -> None:
    scheme = _AS_HTTP.get(scope["scheme"], scope["scheme"])
    allowed = [f"{scheme}://{host}", *house.allowed_origins]
    if _origin(origin) not in map(_origin, allowed):
        raise Forbidden(
            f"Pages of {origin[:80]!r} may not ask this server.",
            hint="Add it to the setting `allowed_origins` of the server if they may.",
        )


def _is_ours(host: str, scope: Scope, house: House) -> bool:
    """Loopback, the address that was called, or a name that the settings hold."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    if host and host in map(_host_name, (house.host, *house.allowed_hosts)):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    called = (scope.get("server") or ("",))[0]  # an IPv4 address at an IPv6 socket has this mark
    return address.is_loopback or host == called.removeprefix("::ffff:")


def _host_name(host: str) -> str:
    """Of `name`, `name:port`, `[v6]:port`, or an IPv6 address as it stands: small, no last dot."""
    text = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
    try:
        return (urlsplit(f"//{text}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _origin(text: str) -> _Origin | str:
    """What two origins are compared by; the text itself where it is none, as `null`."""
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return text
    if not parts.hostname:
        return text
    return parts.scheme, parts.hostname.removesuffix("."), port
