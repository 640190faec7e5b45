"""Bytes of any size, in one buffer or a file; where the connection was lost, from there on."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import httpx

from treadle.client.wire import Wire

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Room(Protocol):
    """Where bytes are put, each part in its place."""

    def __len__(self) -> int: ...
    def __setitem__(self, where: slice, part: bytes, /) -> None: ...


R = TypeVar("R", bound=Room)


class FileRoom:
    """Room for so many bytes in an open file, which never holds what was there before."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._size = descriptor, size
        os.ftruncate(descriptor, 0)

    def __len__(self) -> int:
        return self._size

    def __setitem__(self, where: slice, part: bytes, /) -> None:
        offset, rest = where.start, memoryview(part)
        while rest:
            written = os.pwrite(self._descriptor, rest, offset)
            offset, rest = offset + written, rest[written:]


async def download(wire: Wire, path: str) -> tuple[bytearray, Mapping[str, str]]:
    """(the body, copied once; the headers)"""
    return await download_into(wire, path, bytearray)


async def download_into(
    wire: Wire, path: str, room: Callable[[int], R]
) -> tuple[R, Mapping[str, str]]:
    """(the body, the headers). room: makes room for so many bytes, and raises where it cannot."""
    data, filled, tag = room(0), 0, ""
    backoff = wire.backoff()
    while True:
        headers = {"range": f"bytes={filled}-", "if-range": tag} if filled and tag else {}
        try:
            async with wire.stream(path, backoff, headers=headers) as answer:
                filled, size = _place(answer)
                tag = answer.headers.get("etag", "")
                if len(data) != size:
                    data = room(size)
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
