"""A server: does it answer, is the way to it safe, does it know us, does its clock agree."""

import http.client
import json
import ssl
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import treadle
from treadle.cli import printing
from treadle.cli.checks.finding import Finding, broken, doubtful, good
from treadle.client.address import is_loopback
from treadle.client.remote import hopeless, trusted_authorities
from treadle.errors import Unavailable

PATIENCE_SECONDS = 5.0
ASKED_TIMES = 5  #: for the latency
SLOW_SECONDS = 0.5
CLOCK_SECONDS = 5.0  #: a difference that makes times of runs look odd
EXPIRES_DAYS = 14  #: a certificate that ends so soon is worth a word
PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. body: {} where it was no JSON object."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    seconds: float


class Probe:
    """One connection, asked one thing after another. Raises OSError, http.client.HTTPException."""

    def __init__(self, url: SplitResult, token: str) -> None:
        self._base, self._token = url.path.rstrip("/"), token
        host, port = url.hostname or "", url.port
        self._connection: http.client.HTTPConnection
        if url.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                host, port, timeout=PATIENCE_SECONDS, context=trusted_authorities(None)
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)

    def connect(self) -> None:
        self._connection.connect()

    def certificate(self) -> Mapping[str, Any]:
        """The server's, as `ssl` tells it; {} on a plain connection."""
        found = self._connection.sock
        return found.getpeercert() or {} if isinstance(found, ssl.SSLSocket) else {}

    def get(self, path: str, *, with_token: bool = False) -> Answer:
        headers = {"authorization": f"Bearer {self._token}"} if with_token and self._token else {}
        began = time.perf_counter()
        self._connection.request("GET", f"{self._base}{PREFIX}{path}", headers=headers)
        answer = self._connection.getresponse()
        data, seconds = answer.read(), time.perf_counter() - began
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(status=answer.status, headers=named, body=_object(data), seconds=seconds)

    def close(self) -> None:
        self._connection.close()


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def examine(url: str, token: str) -> Iterator[Finding]:
    """All findings, to the first that makes the rest senseless. token: "" for none."""
    split = urlsplit(url)
    probe = Probe(split, token)
    try:
        yield from _examined(probe, split, token)
    except ssl.SSLError as error:
        told = hopeless(url, error) or Unavailable(f"{url}: {error.reason or error}")
        yield broken("encryption", told.message, told.hint)
    except (OSError, http.client.HTTPException) as error:
        hint = "Is it running (`treadle up`)? Are name and port right? Is a firewall between?"
        yield broken("server", f"{url} does not answer: {_said(error)}", hint)
    finally:
        probe.close()


def _examined(probe: Probe, split: SplitResult, token: str) -> Iterator[Finding]:
    probe.connect()
    yield _encryption(split, probe.certificate())
    first = probe.get("/health/live")
    if first.status != http.client.OK or not first.body:
        what = first.headers.get("server", "something else")
        says = f"no Treadle: {what} answers {first.status} to {PREFIX}/health/live"
        yield broken("server", says, "Is the address right, with its port?")
        return
    yield good("server", split.geturl())
    known = probe.get("/health", with_token=True)
    yield _token(known, token)
    if known.status == http.client.OK:
        yield from _health(known.body)
    yield _clock(first)
    yield _latency([probe.get("/health/live").seconds for _ in range(ASKED_TIMES)])


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _encryption(split: SplitResult, certificate: Mapping[str, Any]) -> Finding:
    if split.scheme != "https":
        if is_loopback(split.geturl()):
            return good("encryption", "none, and none is needed on this machine")
        says = "none: token and data can be read on their way"
        return doubtful(
            "encryption", says, "Start the server with --tls-certificate and --tls-key."
        )
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])
    days = (ends - time.time()) / 86400
    says = f"TLS, certificate valid until {printing.moment(ends)}"
    if days > EXPIRES_DAYS:
        return good("encryption", says)
    return doubtful("encryption", says, f"Renew the certificate: {days:.0f} days are left.")


def _token(answer: Answer, token: str) -> Finding:
    if answer.status == http.client.OK:
        caller = answer.body["caller"]
        name = f"{caller['token']}, " if caller["token"] else ""
        return good("token", f"{name}of user {caller['user']}, may {', '.join(caller['scopes'])}")
    if not token:
        hint = "`treadle login URL` keeps one; or set TREADLE_TOKEN."
        return broken("token", "there is none for this server", hint)
    says = str(answer.body.get("detail", f"answered {answer.status}"))
    return broken("token", says, str(answer.body.get("hint", "")))


def _health(told: Mapping[str, Any]) -> Iterator[Finding]:
    ours, theirs = treadle.__version__, str(told.get("version", "?"))
    if ours == theirs:
        yield good("version", f"{theirs}, as here")
    else:
        hint = "Mostly they understand each other; the same version always does."
        yield doubtful("version", f"{theirs} there, {ours} here", hint)
    slots = told.get("slots", {})
    yield good("slots", f"{slots.get('busy', '?')} of {slots.get('total', '?')} busy")


def _clock(answer: Answer) -> Finding:
    try:
        there = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return good("clock", "not told")
    apart = (there - datetime.now(UTC)).total_seconds() + answer.seconds
    if abs(apart) <= CLOCK_SECONDS:
        return good("clock", "as here, to a few seconds")
    way = "ahead of" if apart > 0 else "behind"
    says = f"the server's is {printing.duration(abs(apart))} {way} this machine's"
    return doubtful("clock", says, "Have both set by NTP: durations shown here would be wrong.")


def _latency(seconds: list[float]) -> Finding:
    middle = statistics.median(seconds)
    says = f"{middle * 1000:.1f} ms for a request"
    if middle <= SLOW_SECONDS:
        return good("latency", says)
    return doubtful("latency", says, "The way to it is slow, or it is busy.")
