"""Bytes of any size, in one buffer; where the connection was lost, from there on."""

import re
from collections.abc import Mapping

import httpx

from treadle.client.wire import Wire

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


async def download(wire: Wire, path: str) -> tuple[bytearray, Mapping[str, str]]:
    """(the body, copied once; the headers)"""
    data, filled, tag = bytearray(), 0, ""
    backoff = wire.backoff()
    while True:
        headers = {"range": f"bytes={filled}-", "if-range": tag} if filled and tag else {}
        try:
            async with wire.stream(path, backoff, headers=headers) as answer:
                filled, size = _place(answer)
                tag = answer.headers.get("etag", "")
                if len(data) != size:
                    data = bytearray(size)
                async for part in answer.aiter_raw():
                    backoff.renew()
                    data[filled : filled + len(part)] = part
                    filled += len(part)
                return data, answer.headers
        except ConnectionResetError:
            continue


def _place(answer: httpx.Response) -> tuple[int, int]:
    """(where the answer's bytes begin, how long the whole is)"""
    part = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status_code == 206 and part is not None:
        return int(part[1]), int(part[2])
    return 0, int(answer.headers.get("content-length", 0))
