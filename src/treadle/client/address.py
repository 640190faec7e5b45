"""Addresses of servers: what they may look like, and which are on this machine."""

import ipaddress
from urllib.parse import urlsplit

from treadle.errors import InvalidRequest

PORTS = {"http": 80, "https": 443}
EXAMPLE = "https://box:8470"


def checked_url(url: str) -> str:
    """The address in the one way of writing it: scheme, host and port, in small letters.

    Raises InvalidRequest with what is wrong with it.
    """
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise _refused(url, str(error)) from None
    if parts.scheme not in PORTS or not host:
        raise _refused(url, "it begins with neither http:// nor https://", _with_scheme(url))
    if parts.username is not None or parts.password is not None:
        raise _refused("the address", "a token has no place in it", "Give it as token=.")
    base = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or PORTS[parts.scheme]}"
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _refused(url, "it ends with the port", f"Leave the rest out: {base}")
    return base


def is_loopback(url: str) -> bool:
    """Whether the address can only be on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _with_scheme(url: str) -> str:
    name = (url.partition("://")[2] or url).strip()
    scheme = "http" if is_loopback(f"http://{name}") else "https"
    return f"Did you mean {scheme}://{name}?" if name else f"It looks like {EXAMPLE}."


def _refused(what: str, why: str, hint: str = f"It looks like {EXAMPLE}.") -> InvalidRequest:
    return InvalidRequest(f"{what!r} is no address of a server: {why}.", hint=hint)
