"""A client's link to a server, by its address and a token."""

import logging
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.client.address import checked_url, is_loopback
from treadle.client.backoff import Backoff
from treadle.client.connected import PATIENCE_SECONDS, Connected
from treadle.client.credentials import token_for
from treadle.client.link import closed
from treadle.errors import InvalidRequest, TreadleError, Unavailable

if TYPE_CHECKING:
    import httpx

CA_VARIABLE = "TREADLE_CA"
ALIVE = "/api/v1/health/live"
PROBE_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 200.0  #: less than the server's, so that it is we who close
# A peer that vanished without a word is noticed by the kernel, on silent streams too.
TCP_KEEP_ALIVE = (("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5))
log = logging.getLogger("treadle")


class RemoteLink(Connected):
    """Implements `treadle.client.link.Link` over TCP, with TLS where the address says https.

    Nothing is sent before the first request. ca_certificate: a file that the server's certificate
    is checked with, besides the system's own authorities; default TREADLE_CA. Proxies of the
    environment (HTTPS_PROXY, NO_PROXY) are used, but never to reach this machine.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        ca_certificate: Path | str | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.url = checked_url(url)
        self._token = token or token_for(self.url)
        self._trust = trusted_authorities(ca_certificate) if self.url.startswith("https") else None
        self._answered = False  # once, so that it is worth waiting for
        super().__init__()
        self.patience_seconds = patience_seconds

    @property
    def peer(self) -> str:
        return f"The server at {self.url}"

    @property
    def advice(self) -> str:
        return "Is it running, and is this its address? `treadle up` starts one."

    def __repr__(self) -> str:
        return f"the server at {self.url}"

    async def http(self) -> "httpx.AsyncClient":
        if self._http is None and not self._closed:
            self._http = self._connection()
        return await super().http()

    def _connection(self) -> "httpx.AsyncClient":
        import httpx  # noqa: PLC0415 - 70 ms

        verify: ssl.SSLContext | bool = self._trust or False
        limits = httpx.Limits(max_connections=None, keepalive_expiry=KEEP_ALIVE_SECONDS)
        options = list(_socket_options())
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {self._token}"} if self._token else {},
            transport=httpx.AsyncHTTPTransport(
                verify=verify, limits=limits, trust_env=False, socket_options=options
            ),
            verify=verify,  # of the transports that httpx makes for proxies
            limits=limits,
            trust_env=not is_loopback(self.url),
            event_hooks={"response": [self._heard]},
        )

    async def _heard(self, _: object) -> None:
        self._answered = True

    async def restore(self, broken: "httpx.AsyncClient", why: Exception) -> None:
        """Wait until the server answers again. One that never did is not waited for."""
        backoff = Backoff(self.patience_seconds if self._answered else 0.0)
        async with self._restoring:
            told = False
            while self._closed or not await self._answers(broken):
                if self._closed:
                    raise closed()
                if error := hopeless(self.url, why):
                    raise error from why
                if not await backoff.pause():
                    raise self._gone(why) from why
                if not told:
                    self.on_notice(f"The connection to {self.url} is lost; trying again.")
                told = True
            if told:
                self.on_notice(f"The connection to {self.url} is back.")

    async def _answers(self, http: "httpx.AsyncClient") -> bool:
        import httpx  # noqa: PLC0415 - as above

        try:
            await http.get(ALIVE, timeout=PROBE_SECONDS)
        except (httpx.TransportError, RuntimeError):  # closed meanwhile
            return False
        return True

    def _gone(self, why: Exception) -> TreadleError:
        verb = "went away and did not come back" if self._answered else "cannot be reached"
        hint = self.advice
        if not self._answered and "disconnected" in str(why) and self.url.startswith("http:"):
            hint = f"Does it speak TLS? Then it is https{self.url.removeprefix('http')}."
        return Unavailable(f"{self.peer} {verb}: {_reason(why)}.", hint=hint)


def trusted_authorities(ca_certificate: Path | str | None) -> ssl.SSLContext:
    """The system's authorities, and that of the file. Raises InvalidRequest if it has none."""
    context = ssl.create_default_context()
    file = ca_certificate or os.environ.get(CA_VARIABLE)
    if file:
        try:
            context.load_verify_locations(Path(file).expanduser())
        except (OSError, ssl.SSLError) as error:
            raise InvalidRequest(
                f"{file} holds no certificate that can be read: {error}.",
                hint="ca_certificate and TREADLE_CA name a file in PEM.",
            ) from error
    return context


def hopeless(url: str, error: BaseException) -> TreadleError | None:
    """What to say of trouble that does not pass by itself, or None."""
    text = " ".join(str(each) for each in _causes(error))
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0].rstrip(".")
        hint = "Name its file, or that of its authority: ca_certificate= or TREADLE_CA."
        if "mismatch" in why:
            hint = "Call the server by a name that its certificate has."
        return Unavailable(
            f"The certificate of {url} is not to be trusted: {why or 'it cannot be verified'}.",
            hint=hint,
        )
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER" in text:
        return Unavailable(
            f"What listens at {url} does not speak TLS.",
            hint=f"Is it http{url.removeprefix('https')}?",
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    """In the words of the system, where it has any."""
    for each in _causes(error):
        if isinstance(each, OSError) and each.errno:
            return os.strerror(each.errno) if each.errno > 0 else str(each.strerror)
    return str(error).rstrip(".") or type(error).__name__


def _socket_options() -> Iterator[tuple[int, int, int]]:
    yield socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    for name, value in TCP_KEEP_ALIVE:
        if option := getattr(socket, name, None):
            level = socket.SOL_SOCKET if name.startswith("SO_") else socket.IPPROTO_TCP
            yield level, option, value
