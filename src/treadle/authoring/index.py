"""What was found in a project the last time, so that unchanged files are not read again.

One file for each root, in the user's cache folder: nothing is written into the project. It is
only ever believed where the file system says the same as then; without it all is read anew.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from blake3 import blake3

VERSION = 1
#: What changed so shortly before it was looked at may change again within the same tick of the
#: clock (FAT counts in 2 s), with nothing to show for it. So that is looked at again.
TICK_NS = 2_000_000_000
_KEPT_SECONDS = 30 * 86400.0
_count = itertools.count()


class KnownFile(msgspec.Struct, array_like=True, gc=False):
    """A file with its digest, and the times by which a change is seen."""

    mtime_ns: int
    ctime_ns: int
    size_bytes: int
    inode: int
    mode: int  #: 0o644 or 0o755
    digest: str

    def is_still(self, found: os.stat_result) -> bool:
        return (
            self.mtime_ns == found.st_mtime_ns
            and self.size_bytes == found.st_size
            and self.inode == found.st_ino
            and self.ctime_ns == found.st_ctime_ns
        )


class KnownFolder(msgspec.Struct, array_like=True):
    """The entries of a folder that are not ignored. rules: the key of those in force."""

    mtime_ns: int
    ctime_ns: int
    inode: int
    rules: str = ""
    rule_files: list[str] = []
    files: dict[str, KnownFile | None] = {}
    folders: list[str] = []
    links: dict[str, KnownFile | None] = {}
    left_out: dict[str, str] = {}

    def is_still(self, found: os.stat_result) -> bool:
        return (self.mtime_ns, self.ctime_ns, self.inode) == (
            found.st_mtime_ns,
            found.st_ctime_ns,
            found.st_ino,
        )


class _Index(msgspec.Struct):
    version: int
    root: str
    folders: dict[str, KnownFolder]


def is_settled(found: os.stat_result, looked_at_ns: int) -> bool:
    """Whether it last changed so long before that moment that a later change would show."""
    return max(found.st_mtime_ns, found.st_ctime_ns) < looked_at_ns - TICK_NS


def load(root: Path, environ: Mapping[str, str] | None = None) -> dict[str, KnownFolder]:
    """What is known of the root's folders, by their path below it; {} if nothing is."""
    path = _path(root, environ)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Index)
        os.utime(path)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return found.folders if (found.version, found.root) == (VERSION, _shown(root)) else {}


def save(
    root: Path, folders: dict[str, KnownFolder], environ: Mapping[str, str] | None = None
) -> None:
    """Keep it for the next time; where that cannot be, the next time is slower."""
    path = _path(root, environ)
    passing = path.with_name(f".{path.name}.{os.getpid()}.{next(_count)}")
    with contextlib.suppress(OSError, UnicodeEncodeError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_new = not path.exists()
        try:
            data = msgspec.json.encode(_Index(VERSION, _shown(root), folders))
            descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(data)
            passing.replace(path)
        except BaseException:
            passing.unlink(missing_ok=True)
            raise
        if is_new:
            _forget_old(path.parent)


def _forget_old(folder: Path) -> None:
    """Remove what was not asked for in a month: of folders long gone, mostly."""
    before = time.time() - _KEPT_SECONDS
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            if entry.stat().st_mtime < before:
                os.unlink(entry)


def _path(root: Path, environ: Mapping[str, str] | None) -> Path:
    given = os.environ if environ is None else environ
    base = given.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the XDG specification: relative paths are to be ignored
        base = os.path.join(given.get("HOME") or os.path.expanduser("~"), ".cache")
    name = blake3(os.fsencode(root)).hexdigest()[:32]
    return Path(base) / "treadle" / "projects" / f"{name}.json"


def _shown(root: Path) -> str:
    return os.fsencode(root).decode("latin-1")
