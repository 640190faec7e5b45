"""What a submission names is uploaded first; only what is not there yet."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from anyio import open_file, to_thread
from blake3 import blake3

from treadle.client.progress import Progress
from treadle.errors import Conflict, InvalidRequest

if TYPE_CHECKING:
    from treadle.authoring.bundles import Bundle, BundledFile
    from treadle.client.api import Api

_PIECE_BYTES = 1024 * 1024
_FRAMED_BYTES = 128 * 1024  #: of small files that are sent at once
_SMALL_BYTES, _BATCH_BYTES, _BATCH_FILES = 2**20, 8 * 2**20, 2000


async def upload(api: "Api", blobs: Mapping[str, bytes]) -> None:
    """Put the blobs that are missing."""
    if not blobs:
        return
    for digest in await api.missing_blobs(list(blobs)):
        await api.put_blob(digest, blobs[digest])


async def upload_bundle(api: "Api", bundle: "Bundle") -> None:
    """Put the bundle's missing files, then its manifest; nothing if all of it is there.

    How far it is, is told to the link. Raises Conflict if a file was edited in the meantime.
    """
    if await api.has_snapshot(bundle.digest):
        return
    _, missing = await api.put_snapshot(bundle.manifest)
    if not missing:
        return
    files = {f.digest: f for f in bundle.files.values()}
    wanted = [files[digest] for digest in missing]
    progress = Progress(sum(file.size_bytes for file in wanted), api.wire.link.on_uploading)
    for batch in _batches([file for file in wanted if file.size_bytes <= _SMALL_BYTES]):
        await _put_small(api, batch, progress)
    for file in wanted:
        if file.size_bytes > _SMALL_BYTES:
            await _put_large(api, file, progress)
    await api.put_snapshot(bundle.manifest)
    progress.end()


def _batches(files: "Sequence[BundledFile]") -> "Iterator[list[BundledFile]]":
    """Files that are sent together: few enough to hold in memory."""
    batch: list[BundledFile] = []
    size = 0
    for file in files:
        if batch and (size + file.size_bytes > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size_bytes
    if batch:
        yield batch


async def _put_small(api: "Api", files: "Sequence[BundledFile]", progress: Progress) -> None:
    contents, before = await to_thread.run_sync(_contents, files), progress.done
    await api.put_blobs(lambda: _framed(contents, before, progress))


async def _framed(
    contents: Sequence[bytes], before: int, progress: Progress
) -> AsyncIterator[bytes]:
    """Each behind its length, many in one piece. before: bytes sent before these."""
    piece, done = bytearray(), before
    for data in contents:
        piece += len(data).to_bytes(8, "big")
        piece += data
        done += len(data)
        if len(piece) >= _FRAMED_BYTES:
            yield bytes(piece)
            progress.reach(done)
            piece.clear()
    if piece:
        yield bytes(piece)
    progress.reach(done)


def _contents(files: "Sequence[BundledFile]") -> list[bytes]:
    return [_content(file) for file in files]


def _content(file: "BundledFile") -> bytes:
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise _changed(file) from error
    if blake3(data).hexdigest() != file.digest:
        raise _changed(file)
    return data


async def _put_large(api: "Api", file: "BundledFile", progress: Progress) -> None:
    before = progress.done
    try:
        await api.put_blob(file.digest, lambda: _pieces(file, before, progress))
    except (OSError, InvalidRequest) as error:
        raise _changed(file) from error
    progress.reach(before + file.size_bytes)


async def _pieces(file: "BundledFile", before: int, progress: Progress) -> AsyncIterator[bytes]:
    done = before
    async with await open_file(file.path, "rb") as opened:
        while piece := await opened.read(_PIECE_BYTES):
            yield piece
            done += len(piece)
            progress.reach(done)


def _changed(file: "BundledFile") -> Conflict:
    return Conflict(f"{file.path} changed while it was uploaded.", hint="Run it again.")
