"""Bytes in and out by digest, in pieces, however large."""

import re

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.arriving import batches, store
from treadle.api.http.asked import json_body, query
from treadle.api.http.encode import json_response
from treadle.api.http.sending import Content, send
from treadle.api.http.state import house_of
from treadle.errors import InvalidRequest, TooLarge

MOST_TOGETHER_BYTES = 1024 * 1024  #: of a blob that is sent with others
MOST_BLOBS = 10_000  #: in one body; the answer names each
_DIGEST = re.compile(r"[0-9a-f]{64}")


def checked_digest(text: object) -> str:
    """The digest.

    Raises InvalidRequest if it is none.
    """
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise InvalidRequest(f"{str(text)[:80]!r} is no digest (64 hexadecimal digits).")
    return text


async def put_blob(request: Request) -> Response:
    """Store the body's bytes, which must have this digest (BLAKE3, 64 hexadecimal digits)."""
    blobs, digest = house_of(request).blobs, checked_digest(request.path_params["digest"])
    stored, size = await store(request, blobs, house_of(request).traffic.uploads)
    if stored != digest:
        raise InvalidRequest(
            f"The bytes have digest {stored}, not {digest}.", hint="Send them again."
        )
    return json_response({"digest": stored, "size_bytes": size}, 201)


async def post_blobs(request: Request) -> Response:
    """Store many small blobs, which the body holds one behind the other, each after its length in
    8 bytes, the highest first.
    """
    blobs, digests, rest = house_of(request).blobs, list[str](), b""

    def put_all(parts: list[memoryview]) -> list[str]:
        return [blobs.put([part])[0] for part in parts]

    async for batch in batches(request):
        parts, rest = _parts(b"".join([rest, *batch]))
        if len(digests) + len(parts) > MOST_BLOBS:
            raise TooLarge(
                f"The body holds more than {MOST_BLOBS:,} blobs.", hint="Send them in several."
            )
        digests += await to_thread.run_sync(put_all, parts)
    if rest:
        raise InvalidRequest("The body ends in the middle of a blob.", hint="Send it again.")
    return json_response({"digests": digests}, 201)


def _parts(data: bytes) -> tuple[list[memoryview], bytes]:
    """(whole blobs, what is left)"""
    view, found, start = memoryview(data), [], 0
    while start + 8 <= len(view):
        size = int.from_bytes(view[start : start + 8], "big")
        if size > MOST_TOGETHER_BYTES:
            raise InvalidRequest(
                f"A blob of {size} bytes is too large to be sent with others.",
                hint="Put it by itself: PUT /blobs/{digest}.",
            )
        if start + 8 + size > len(view):
            break
        found.append(view[start + 8 : start + 8 + size])
        start += 8 + size
    return found, bytes(view[start:])


async def get_blob(request: Request) -> Response:
    """The bytes of a blob, or a range of them."""
    query(request)
    blobs, digest = house_of(request).blobs, checked_digest(request.path_params["digest"])
    size_bytes = await to_thread.run_sync(blobs.size, digest)
    return await send(request, Content(digest=digest, size_bytes=size_bytes), {})


async def missing_blobs(request: Request) -> Response:
    """Those of the digests that are not here. The others stay for an hour."""
    body = await json_body(request, ("digests",))
    digests = body.get("digests", [])
    if not isinstance(digests, list):
        raise InvalidRequest("digests: expected a list.")
    wanted = [checked_digest(digest) for digest in digests]
    return json_response({"missing": await missing_of(request, wanted)})


async def missing_of(request: Request, digests: list[str]) -> list[str]:
    """Those digests that the store does not have, in order."""
    has = house_of(request).blobs.has  # which renews the age of what is there
    return await to_thread.run_sync(lambda: [d for d in dict.fromkeys(digests) if not has(d)])
