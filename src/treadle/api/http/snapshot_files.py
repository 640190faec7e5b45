"""The files of a snapshot, as those who read a pipeline file see them. No disk is looked at."""

import errno
import os
import posixpath
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from treadle.errors import DamagedBlob, MissingBlob
from treadle.formats.files import Files
from treadle.interfaces import BlobStore

TOP = Path("/snapshot")  #: what stands for a snapshot's top folder; no folder of this machine
MOST_BYTES = 32_000_000  #: of one file that is looked at
_WITHOUT = (
    "The run was posted without files: put them, post them as a snapshot, and name it "
    "under `snapshot`."
)
_WITHIN = "Only the files of the snapshot are looked at, and paths start at `folder` in it."


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the manifest says of a path. digest: "" of a link to a disk."""

    mode: int
    digest: str = ""
    size_bytes: int = 0


@dataclass(slots=True)
class SnapshotFiles(Files):
    """Files by the snapshot's manifest, read from their blobs. May be empty."""

    blobs: BlobStore
    entries: Mapping[str, _Entry] = field(default_factory=dict)
    folders: Mapping[str, set[str]] = field(default_factory=dict)

    @property
    def hint(self) -> str:  # type: ignore[override]
        return _WITHIN if self.entries else _WITHOUT

    def at(self, folder: Path, text: str) -> Path:
        return Path(os.path.normpath(folder / text))

    def mode(self, path: Path) -> int | None:
        name = _name(path)
        if name is None:
            return None
        entry = self.entries.get(name)
        if entry is not None:
            return entry.mode
        return stat.S_IFDIR | 0o755 if name in self.folders else None

    def read(self, path: Path) -> bytes:
        entry = self.entries.get(_name(path) or "")
        if entry is None or not entry.digest:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if entry.size_bytes > MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        try:
            return bytes(self.blobs.open(entry.digest))
        except (MissingBlob, DamagedBlob) as error:
            raise OSError(errno.EIO, error.message.rstrip(".")) from None

    def names(self, folder: Path) -> list[str]:
        return sorted(self.folders.get(_name(folder) or "", ()))

    def real(self, path: Path) -> Path:
        return path


def _name(path: Path) -> str | None:
    """The path below the top; "" for the top itself, None for one outside."""
    text = os.path.normpath(path)
    if text == str(TOP):
        return ""
    return text.removeprefix(f"{TOP}/") if text.startswith(f"{TOP}/") else None


def files_of(blobs: BlobStore, manifest: bytes | memoryview | None) -> SnapshotFiles:
    """manifest: None for no snapshot."""
    if manifest is None:
        return SnapshotFiles(blobs, folders={"": set()})
    told: dict[str, dict[str, Any]] = msgspec.json.decode(manifest)
    entries = {
        path: _Entry(stat.S_IFREG | mode, digest, size_bytes)
        for path, (digest, size_bytes, mode) in told["files"].items()
    }
    entries |= {path: _Entry(stat.S_IFLNK | 0o644) for path in told.get("links", {})}
    folders: dict[str, set[str]] = {"": set()}
    for path in entries:
        while path:
            folder, name = posixpath.split(path)
            folders.setdefault(folder, set()).add(name)
            path = folder
    return SnapshotFiles(blobs, entries, folders)
