"""Directories as tar archives: the same tree, the same bytes; never out of the target.

A module of its own because `tarfile` is slow to import and few values are directories.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.codecs.encoded import Part
from treadle.codecs.path import FileParts
from treadle.errors import CodecError

MEDIA_TYPE = "application/x-tar"
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class TarParts:
    """A tar archive written while it is iterated: headers from memory, contents from the files."""

    members: tuple[tuple[bytes, FileParts | None], ...]
    size_bytes: int

    def __iter__(self) -> Iterator[Part]:
        for header, contents in self.members:
            yield header
            if contents is not None:
                yield from contents
                yield bytes(-contents.size_bytes % _BLOCK)
        yield bytes(2 * _BLOCK)


def tar_of(root: Path) -> TarParts:
    """The archive of what lies under root. Raises CodecError for what an archive cannot hold."""
    members = tuple(_member(path, root) for path in _walk(root))
    size = 2 * _BLOCK
    for header, contents in members:
        length = 0 if contents is None else contents.size_bytes
        size += len(header) + length + -length % _BLOCK
    return TarParts(members, size)


def _walk(directory: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        path = Path(entry.path)
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)


def _member(path: Path, root: Path) -> tuple[bytes, FileParts | None]:
    """Header and contents; owner and times are left out so that equal trees have equal bytes."""
    found = path.lstat()
    info = tarfile.TarInfo(str(path.relative_to(root)))
    contents = None
    if stat.S_ISLNK(found.st_mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, _link(path, root), 0o777
    elif stat.S_ISDIR(found.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISREG(found.st_mode):
        info.size = found.st_size
        info.mode = 0o755 if found.st_mode & 0o100 else 0o644
        contents = FileParts(path, found.st_size)
    else:
        raise CodecError(
            f"{path} is neither file, directory nor link, and cannot be stored.",
            hint="Remove it before the directory is returned.",
        )
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"), contents


def _link(path: Path, root: Path) -> str:
    target = os.readlink(path)
    inside = os.path.normpath(path.parent.relative_to(root) / target)
    if os.path.isabs(target) or inside.split(os.sep)[0] == "..":
        raise CodecError(
            f"{path} links to {target}, outside the directory that is stored.",
            hint="Copy what it links to into the directory.",
        )
    return target


class _View(io.RawIOBase):
    """A memoryview as a file, uncopied."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def readinto(self, buffer: Any) -> int:
        chunk = self._data[self._at : self._at + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._data)}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def extract(data: memoryview, target: Path) -> None:
    """Unpack into target, which must not exist. Raises CodecError, leaving nothing, if any
    member would lie or lead outside of it."""
    target.mkdir()
    try:
        with tarfile.open(fileobj=_View(data), mode="r:", encoding="utf-8") as tar:
            # Links last: so nothing can be written through one.
            members = sorted(tar.getmembers(), key=lambda member: member.issym())
            if any(member.islnk() for member in members):
                raise CodecError("a stored directory holds a hard link.", hint="Store it anew.")
            if hasattr(tarfile, "data_filter"):
                tar.extractall(target, members, filter="data")
            else:  # Python before 3.8.17 and 3.11.4
                links = {member.name for member in members if member.issym()}
                tar.extractall(target, [_harmless(member, links) for member in members])
        _check_links(target, [member.name for member in members if member.issym()])
    except (tarfile.TarError, OSError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise CodecError(
            f"a stored directory cannot be unpacked: {error}.",
            hint="See that there is room; if there is, it is damaged: make the value again.",
        ) from error
    except CodecError:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _harmless(member: tarfile.TarInfo, links: set[str]) -> tarfile.TarInfo:
    """What tarfile's filter "data" makes of a member that we could have written.

    Raises CodecError for any other (PEP 706).
    """
    parts = member.name.split("/")
    folders = {"/".join(parts[:end]) for end in range(1, len(parts))}
    if member.name.startswith("/") or ".." in parts or folders & links:
        raise CodecError(f"{member.name} would lie outside of the stored directory.")
    if not (member.isfile() or member.isdir() or member.issym()):
        raise CodecError(f"{member.name} is no file, folder or link.")
    if member.issym() and member.linkname.startswith("/"):
        raise CodecError(f"the link {member.name} leads out of the stored directory.")
    if not member.issym():
        executable = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        member.mode &= executable
        member.mode |= 0o700 if member.isdir() else 0o600
    member.uid, member.gid = os.geteuid(), os.getegid()
    member.uname = member.gname = ""
    return member


def _check_links(target: Path, names: list[str]) -> None:
    """Links may lead out together that each stay inside: look again when all are there."""
    root = target.resolve()
    for name in names:
        if not (target / name).resolve().is_relative_to(root):
            raise CodecError(f"the link {name} leads out of the stored directory.")
