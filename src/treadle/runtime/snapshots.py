"""Lays a code snapshot out as files, once per machine."""

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from treadle.errors import InvalidDefinition, Unavailable
from treadle.interfaces import BlobStore


def materialise(digest: str, blobs: BlobStore, address: str) -> str:
    """The folder that holds the snapshot's files; made now if this machine has none.

    It stands beside the blobs' folder and appears at once, whole: others may race to make it.
    """
    folder = Path(address).parent / "snapshots" / digest
    if not folder.exists():
        _clear_abandoned(folder)
        _make(folder, digest, blobs)
    return str(folder)


def _make(folder: Path, digest: str, blobs: BlobStore) -> None:
    manifest: Mapping[str, Any] = json.loads(bytes(blobs.open(digest, verify=True)))
    draft = folder.with_name(f".{digest}.{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        for name, (blob, _, mode) in manifest["files"].items():
            _write(draft / _safe(name), blobs.open(blob, verify=True), mode)
        os.rename(draft, folder)
    except BaseException as error:
        _remove(draft)
        if isinstance(error, OSError) and folder.exists():  # another process was faster
            return
        if isinstance(error, OSError):
            raise Unavailable(
                f"The code cannot be laid out in {folder.parent}: {error.strerror}.",
                hint="Is there room on that disk, and may you write there?",
            ) from error
        raise


def _write(path: Path, data: memoryview, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode & 0o777 | 0o600)


def _safe(name: str) -> str:
    """The name, if it stays inside its folder. Raises InvalidDefinition otherwise."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise InvalidDefinition(f"The code snapshot holds a file outside its folder: {name!r}.")
    return name


def _clear_abandoned(folder: Path) -> None:
    """Remove what a process that died left half made."""
    if not folder.parent.is_dir():
        return
    for draft in folder.parent.glob(f".{folder.name}.*"):
        if not os.path.exists(f"/proc/{draft.name.rpartition('.')[2]}"):
            _remove(draft)


def _remove(folder: Path) -> None:
    import shutil  # noqa: PLC0415 - 5 ms of every start for what is rarely needed

    shutil.rmtree(folder, ignore_errors=True)
