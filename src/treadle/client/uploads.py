"""What a submission names is uploaded first; only what is not there yet."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from anyio import Semaphore, create_task_group, open_file, to_thread
from blake3 import blake3

from treadle.errors import Conflict, InvalidRequest

if TYPE_CHECKING:
    from treadle.authoring.bundles import Bundle, BundledFile
    from treadle.client.api import Api

_PIECE_BYTES = 1024 * 1024  #: files up to this size are read whole
_AT_A_TIME = 8


async def upload(api: "Api", blobs: Mapping[str, bytes]) -> None:
    """Put the blobs that are missing."""
    if not blobs:
        return
    for digest in await api.missing_blobs(list(blobs)):
        await api.put_blob(digest, blobs[digest])


async def upload_bundle(api: "Api", bundle: "Bundle") -> None:
    """Put the bundle's missing files, then its manifest; nothing if all of it is there.

    Raises Conflict if a file was edited in the meantime.
    """
    if await api.has_snapshot(bundle.digest):
        return
    _, missing = await api.put_snapshot(bundle.manifest)
    if not missing:
        return
    files = {f.digest: f for f in bundle.files.values()}
    places = Semaphore(_AT_A_TIME)

    async def put(file: "BundledFile") -> None:
        async with places:
            await _put_file(api, file)

    try:
        async with create_task_group() as group:
            for digest in missing:
                group.start_soon(put, files[digest])
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    await api.put_snapshot(bundle.manifest)


async def _put_file(api: "Api", file: "BundledFile") -> None:
    try:
        if file.size_bytes <= _PIECE_BYTES:
            data = await to_thread.run_sync(file.path.read_bytes)
            if blake3(data).hexdigest() != file.digest:
                raise _changed(file)
            await api.put_blob(file.digest, data)
        else:
            await api.put_blob(file.digest, lambda: _pieces(file))
    except (OSError, InvalidRequest) as error:
        raise _changed(file) from error


async def _pieces(file: "BundledFile") -> AsyncIterator[bytes]:
    async with await open_file(file.path, "rb") as opened:
        while piece := await opened.read(_PIECE_BYTES):
            yield piece


def _changed(file: "BundledFile") -> Conflict:
    return Conflict(f"{file.path} changed while it was uploaded.", hint="Run it again.")
