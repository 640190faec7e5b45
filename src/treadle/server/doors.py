"""The sockets a server listens at, and who may come in by them."""

import errno
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from treadle.errors import InvalidRequest, TreadleError, Unavailable
from treadle.server.settings import Settings

BACKLOG = 1024  #: connections that wait to be taken
_MINE = (ssl.SSLError, OSError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A listening socket. trusted: only the owner can open it; through others, tokens count."""

    socket: socket.socket
    trusted: bool = False
    tls: ssl.SSLContext | None = None
    url: str = ""


def public_door(settings: Settings) -> Door:
    """The door at the settings' host and port, listening.

    Raises InvalidRequest for what cannot be or may not be, Unavailable where the port is taken.
    """
    tls = tls_context(settings.tls_certificate, settings.tls_key)
    family, address = _resolved(settings.host, settings.port)
    if tls is None and not settings.insecure and not _loopback(address[0]):
        raise InvalidRequest(
            f"{settings.host} can be reached by others, and tokens would travel there unprotected.",
            hint="Give --tls-certificate and --tls-key, or --insecure where a proxy does the TLS.",
        )
    listening = _listening(family, address, settings)
    port = listening.getsockname()[1]
    scheme = "http" if tls is None else "https"
    return Door(
        socket=listening, tls=tls, url=f"{scheme}://{_shown(settings.host, address[0])}:{port}"
    )


def open_to_others(door: Door) -> bool:
    """Whether more than this machine can reach it."""
    return not _loopback(door.socket.getsockname()[0])


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """TLS 1.2 and newer with this certificate; None without one. Raises InvalidRequest."""
    if certificate is None:
        if key is None:
            return None
        raise InvalidRequest(
            "There is a key and no certificate.", hint="Give --tls-certificate, too."
        )
    for file in (certificate, key or certificate):
        _check_readable(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _MINE as error:
        raise InvalidRequest(
            _why_no_chain(error, certificate, key),
            hint="Both files are PEM; the key has no "
            "password and belongs to the first certificate of its file.",
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


def _check_readable(file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}.") from error


def _why_no_chain(error: Exception, certificate: Path, key: Path | None) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"The key {key or certificate} does not belong to the certificate {certificate}."
    words = getattr(error, "reason", None) or str(error)
    return f"{certificate} with the key {key or certificate} is no certificate to serve: {words}."


def _resolved(host: str, port: int) -> tuple[int, tuple[str, int]]:
    """(family, address) of a host."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidRequest(
            f"The host {host!r} is not known here: {why}.",
            hint="Give an address of this machine with --host, such as 127.0.0.1.",
        ) from error
    family, _, _, _, address = found[0]
    return int(family), (str(address[0]), port)


def _listening(family: int, address: tuple[str, int], settings: Settings) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise _why_not(error, settings) from error
    return made


def _why_not(error: OSError, settings: Settings) -> TreadleError:
    host, port = settings.host, settings.port
    if error.errno == errno.EADDRINUSE:
        return Unavailable(
            f"Port {port} of {host} is taken{_holder(port)}.",
            hint="Give another one with --port, or --port 0 for any that is free.",
            port=port,
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return InvalidRequest(
            f"{host} is no address of this machine.",
            hint="Give --host 127.0.0.1, or 0.0.0.0 for all of them.",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return InvalidRequest(
            f"This user may not listen at port {port}.", hint="Give a --port from 1024 on."
        )
    return Unavailable(f"Cannot listen at {host}, port {port}: {error.strerror}.")


def _holder(port: int) -> str:
    """ " by NAME (pid N)" where this user can see who listens at the port, else ""."""
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415 - 10 ms, and it is rare

    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
                return f" by {psutil.Process(each.pid).name()} (pid {each.pid})"
    except (psutil.Error, OSError):
        pass
    return ""


def _loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _shown(host: str, address: str) -> str:
    """The host as it stands in a URL; this machine's name where it listens at all addresses."""
    if ipaddress.ip_address(address.partition("%")[0]).is_unspecified:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
