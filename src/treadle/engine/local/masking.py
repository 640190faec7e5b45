"""Keeps the values of secrets out of what a job says: each is replaced by ***.

Found are the value itself, each long line of a value of several, and the value as it looks in
base64, in a URL, in JSON and in Python's repr. Values shorter than four characters are left alone:
hiding every "1" or "yes" would hide nothing and spoil the text. What a program cuts up, hashes or
encrypts is not found.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote, quote_plus

from treadle.model.orders import Report
from treadle.model.records import Certificate, Failure
from treadle.model.secrets import MASK

SHORTEST = 4  #: characters of a value that is masked
_LONG_LINE = 8  #: characters of a line of a value that is masked by itself
_MASK = MASK.encode()


class Masker:
    """Masks the values of one order."""

    def __init__(self, values: Iterable[str]) -> None:
        self._forms = sorted({f for value in values for f in _forms(value)}, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms)))
        #: What is held back, as it may be a secret's beginning; how much of it is hidden already.
        self._streams: dict[str, tuple[bytes, int]] = {}

    def feed(self, stream: str, data: bytes) -> bytes:
        """What can be shown of the stream by now."""
        before, hidden = self._streams.get(stream, (b"", 0))
        data = before + data
        held = self._held_from(data)
        shown, done = self._masked(data, hidden, held)
        self._streams[stream] = data[held:], max(0, done - held)
        return shown

    def rest(self) -> Iterator[tuple[str, bytes]]:
        """(stream, what was held back) when nothing more will come."""
        for stream, (data, hidden) in self._streams.items():
            shown, _ = self._masked(data, hidden, len(data))
            if shown:
                yield stream, shown
        self._streams.clear()

    def text(self, text: str) -> str:
        """The text, masked."""
        data = text.encode("utf-8", "surrogatepass")
        return self._masked(data, 0, len(data))[0].decode("utf-8", "surrogatepass")

    def report(self, report: Report) -> Report:
        """The report, with all words of its failure masked."""
        if report.failure is None:
            return report
        return replace(report, failure=self._failure(report.failure))

    def _failure(self, failure: Failure) -> Failure:
        certificate = failure.certificate
        return replace(
            failure,
            message=self.text(failure.message),
            exception=self.text(failure.exception),
            traceback=self.text(failure.traceback),
            hint=self.text(failure.hint),
            certificate=None if certificate is None else self._certificate(certificate),
        )

    def _certificate(self, certificate: Certificate) -> Certificate:
        return replace(certificate, last_lines=self.text(certificate.last_lines))

    def _held_from(self, data: bytes) -> int:
        """Where the longest end of the data begins that a form begins with."""
        held = len(data)
        for form in self._forms:
            at = data.find(form[:1], max(0, len(data) - len(form) + 1))
            while -1 < at < held:
                if form.startswith(data[at:]):
                    held = at
                at = data.find(form[:1], at + 1)
        return held

    def _masked(self, data: bytes, done: int, held: int) -> tuple[bytes, int]:
        """(what may be shown of the data from `done` to `held`, where what is shown or hidden by
        now ends)."""
        parts = []
        for start, end in self._found(data):
            if start >= held:
                break
            if start >= done:
                parts += [data[done:start], _MASK]
            done = max(done, end)
        return b"".join((*parts, data[done:held])), max(done, held)

    def _found(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where secrets begin and end; those that overlap as one."""
        found = self._pattern.search(data)
        while found is not None:
            start, end = found.span()
            while (found := self._pattern.search(data, found.start() + 1)) is not None:
                if found.start() >= end:
                    break
                end = max(end, found.end())
            yield start, end


def masker_of(secrets: Mapping[str, str]) -> Masker | None:
    """One for these values; None if there is nothing to mask."""
    values = [value for value in secrets.values() if len(value) >= SHORTEST and value.strip()]
    return Masker(values) if values else None


def _forms(value: str) -> Iterator[bytes]:
    lines = [line.strip() for line in value.splitlines()]
    inner = [line for line in lines if len(line) >= _LONG_LINE and not line.startswith("-----")]
    for text in {value, value.strip(), *(inner if len(lines) > 1 else [])}:
        if len(text) < SHORTEST:
            continue
        data = text.encode("utf-8", "surrogateescape")
        yield data
        yield base64.b64encode(data).rstrip(b"=")
        yield base64.urlsafe_b64encode(data).rstrip(b"=")
        for quoted in (quote(data, safe=""), quote(data), quote_plus(data)):
            yield quoted.encode()
        yield json.dumps(text)[1:-1].encode()
        yield json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
        yield repr(text)[1:-1].encode("utf-8", "surrogateescape")
