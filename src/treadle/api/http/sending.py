"""Immutable bytes as an answer: whole or a range, with what caches and browsers want to know."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from mimetypes import guess_extension
from urllib.parse import quote, unquote

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from treadle.api.http.ranges import Span, is_known, wanted
from treadle.api.http.state import house_of
from treadle.model.refs import Ref

FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"  #: the bytes stay, but what the path stands for may not
CHECKED_FIRST_BYTES = 16 * 1024 * 1024
DEFAULT_MEDIA_TYPE = "application/octet-stream"
EXTENSIONS = {
    "application/json": ".json",
    "application/x-npy": ".npy",
    "application/vnd.apache.arrow.stream": ".arrows",
    "application/vnd.treadle.pickle5": ".pickle5",
}
# What a job made may be a web page: it must not act in the name of this server.
_HARMLESS = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_MEDIA_TYPE = re.compile(r"[!#-'*+.^-`|~\w-]+/[!#-'*+.^-`|~\w-]+([ -~]*)", re.ASCII)
_VISIBLE = "".join(map(chr, range(0x20, 0x7F)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes to be sent. inline: the bytes themselves; None if they are a blob.

    media_type: as the job told it, whatever that is.
    """

    digest: str
    size_bytes: int
    inline: bytes | None = None
    media_type: str = DEFAULT_MEDIA_TYPE
    cache: str = FOREVER

    @property
    def etag(self) -> str:
        return f'"{self.digest}"'


async def send(request: Request, content: Content, more: Mapping[str, str]) -> Response:
    """The answer to a GET or HEAD of these bytes. more: headers.

    A damaged blob of up to CHECKED_FIRST_BYTES, or a range of one, is refused; a larger one breaks
    off before its end, so that nobody takes it for whole.
    """
    headers = {"etag": content.etag, "cache-control": content.cache, "accept-ranges": "bytes"}
    headers |= {**_HARMLESS, **more}
    if is_known(request.headers, content.etag):
        return Response(status_code=304, headers=headers)
    span = wanted(request.headers, content.etag, content.size_bytes)
    if request.method == "HEAD":
        span = None  # RFC 9110, 14.2: ranges are of GET alone
    status = 206 if span else 200
    if span:
        headers["content-range"] = span.content_range
    span = span or Span(start=0, stop=content.size_bytes, size_bytes=content.size_bytes)
    headers |= {"content-length": str(span.stop - span.start), "content-type": _type_of(content)}
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if content.inline is not None:
        return Response(content.inline[span.start : span.stop], status, headers)
    return StreamingResponse(await _reading(request, content.digest, span), status, headers)


def _type_of(content: Content) -> str:
    """Its media type, if it can stand in a header."""
    return content.media_type if _MEDIA_TYPE.fullmatch(content.media_type) else DEFAULT_MEDIA_TYPE


def in_header(text: str) -> str:
    """The text, with what cannot stand in a header as in a URL."""
    return quote(text, safe=_VISIBLE)


async def _reading(request: Request, digest: str, span: Span) -> AsyncIterator[bytes]:
    """Pieces of the blob, the first of which is there: so what is missing is known by now."""
    blobs = house_of(request).blobs

    def begin() -> tuple[bytes, Iterator[bytes]]:
        if not span.is_whole or span.size_bytes <= CHECKED_FIRST_BYTES:
            blobs.check(digest)
        pieces = blobs.read(digest, span.start, span.stop)
        return next(pieces, b""), pieces

    first, rest = await to_thread.run_sync(begin)
    return _following(first, rest)


async def _following(first: bytes, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = await to_thread.run_sync(next, rest, b"")
    await anyio.lowlevel.checkpoint()


def file_name(step: str, output: str, ref: Ref) -> str:
    """What to call an output on disk: a file keeps its name, all else is named by its place."""
    kind, _, name = ref.codec.partition(":")
    if kind == "path" and name:
        return unquote(name)
    if kind == "path.tar" and name:
        return f"{unquote(name)}.tar"
    known = EXTENSIONS.get(ref.media_type) or guess_extension(ref.media_type) or ".bin"
    return f"{step}.{output}{known}"


def disposition(name: str, *, download: bool) -> str:
    """Content-Disposition with a file name that is safe everywhere, and the true one (RFC 6266)."""
    kind = "attachment" if download else "inline"
    name = name.replace("/", "_").replace("\\", "_")
    plain = _PLAIN.sub("_", name).lstrip(".") or "output"
    if plain == name:
        return f'{kind}; filename="{plain}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
