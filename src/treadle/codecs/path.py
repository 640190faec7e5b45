"""A pathlib.Path as what lies there: a file's bytes, or a directory as a tar archive.

The name travels in the codec's name, percent-encoded ("path:report.html", "path.tar:model"), so
that the bytes of a file are the file and nothing else. Of a directory are kept: names, contents,
the executable bit, empty directories, and symbolic links that stay inside; the same tree gives
the same bytes. A path where nothing lies, or a device, is a plain value and left to pickle, as
are paths inside other values.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from treadle.codecs import lazy
from treadle.codecs.encoded import Codec, Encoded, Part
from treadle.errors import CodecError

_CHUNK_BYTES = 1024 * 1024
_FALLBACK_MEDIA_TYPE = "application/octet-stream"
_Concrete = type(Path())


@dataclass(frozen=True)
class FileParts:
    """The bytes of a file, read when iterated, so that no file has to fit into memory."""

    path: Path
    size_bytes: int

    def __iter__(self) -> Iterator[Part]:
        try:
            yield from self._chunks()
        except OSError as error:
            raise CodecError(
                f"{self.path} cannot be read: {error.strerror}.",
                hint="Return a path that this job may read, and that stays.",
            ) from error

    def _chunks(self) -> Iterator[Part]:
        left = self.size_bytes
        with open(self.path, "rb", buffering=0) as file:
            while left:
                chunk = file.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    raise _changed(self.path)
                left -= len(chunk)
                yield chunk
            if file.read(1):
                raise _changed(self.path)


def _changed(path: Path) -> CodecError:
    return CodecError(
        f"{path} changed while it was being stored.",
        hint="Return a path only when nothing writes there any more.",
    )


def encode(value: Any) -> Encoded | None:
    if type(value) is not _Concrete:
        return None
    try:
        found = value.stat()
        if stat.S_ISREG(found.st_mode):
            return _encoded_file(value, found.st_size)
        if stat.S_ISDIR(found.st_mode):
            return _encoded_directory(value)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise CodecError(
            f"{value} cannot be stored: {error.strerror}.",
            hint="Return a path that this job may read.",
        ) from error
    return None


def _encoded_file(path: Path, size_bytes: int) -> Encoded:
    name = _name(path)
    kind, compression = lazy.needed("mimetypes", "path").guess_type(name)
    return Encoded(
        codec=f"path:{quote(name)}",
        media_type=kind if kind and not compression else _FALLBACK_MEDIA_TYPE,
        parts=FileParts(path, size_bytes),
        size_bytes=size_bytes,
    )


def _encoded_directory(path: Path) -> Encoded:
    archive = lazy.needed("treadle.codecs.archive", "path")
    parts = archive.tar_of(path)
    return Encoded(
        codec=f"path.tar:{quote(_name(path))}",
        media_type=archive.MEDIA_TYPE,
        parts=parts,
        size_bytes=parts.size_bytes,
    )


def _name(path: Path) -> str:
    return path.name if path.name not in ("", "..") else path.resolve().name or "root"


def decode(name: str, data: memoryview, directory: Path | None) -> Path:
    target = _target(name, directory)
    try:
        with open(target, "xb", buffering=0) as file:
            while data:
                data = data[file.write(data) :]
    except OSError as error:
        target.unlink(missing_ok=True)
        raise CodecError(
            f"a stored file cannot be put at {target}: {error.strerror}.",
            hint="See that there is room, and that you may write there.",
        ) from error
    return target


def decode_directory(name: str, data: memoryview, directory: Path | None) -> Path:
    target = _target(name, directory)
    lazy.needed("treadle.codecs.archive", "path").extract(data, target)
    return target


def _target(codec: str, directory: Path | None) -> Path:
    """Where the file goes: under its own name, in a folder of its own if the name is taken."""
    if directory is None:
        raise CodecError(
            "a stored file or directory needs a place to be put.",
            hint="Say into which directory, or fetch its bytes instead.",
        )
    name = name_in(codec)
    directory.mkdir(parents=True, exist_ok=True)
    for folder in (directory, *(directory / str(number) for number in range(2, 1000))):
        if (folder.is_dir() or not os.path.lexists(folder)) and not os.path.lexists(folder / name):
            folder.mkdir(exist_ok=True)
            return folder / name
    raise CodecError(f"{directory} holds too many files named {name}.", hint="Choose another.")


def name_in(codec: str) -> str:
    """The name of the file or directory. Raises CodecError if it leads elsewhere."""
    name = unquote(codec.partition(":")[2])
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise CodecError(f"{name!r} is not the name of a file.", hint="Store it anew.")
    return name


FILE = Codec(name="path", encode=encode, decode=decode)
DIRECTORY = Codec(name="path.tar", encode=lambda _: None, decode=decode_directory)
