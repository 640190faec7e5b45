"""Lays a code snapshot out as files, once per machine, and sees that they stay as they were.

Files and folders are read-only. Root may write all the same, so at each use sizes and times are
compared, and what was changed is put right. One folder is no part of this: __pycache__, which is
made along with the modules, so that what Python compiles is kept (a module of 17 kB is imported in
0.2 ms instead of 6) and no folder's time changes.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from treadle.errors import DamagedBlob, MissingBlob, Unavailable
from treadle.interfaces import BlobStore
from treadle.runtime.layout import PYCACHE, STAMP_NS, Layout, layout_of
from treadle.storage.trees import remove_tree

#: Looking at a snapshot takes at most this share of the time; a look at 10,000 files takes 20 ms.
_SHARE = 0.05
_SENT_ANEW = "Submit it again, so that the code is sent anew; and check the disk it was on."
_layouts: dict[str, Layout] = {}


def materialise(digest: str, blobs: BlobStore, address: str) -> str:
    """The folder that holds the snapshot's files; made now if this machine has none.

    It stands beside the blobs' folder and appears at once, whole: others may race to make it.
    To be asked for at each use: what was changed is repaired, and a data file that is linked must
    be as it was. Raises InvalidDefinition if it is not, MissingBlob, DamagedBlob, Unavailable.
    """
    folder = f"{_beside(address)}/{digest}"
    try:
        _lay_out(folder, digest, blobs)
    except (MissingBlob, DamagedBlob) as error:
        _forget(folder, {digest, error.details.get("digest", digest)}, blobs)
        error.hint = _SENT_ANEW
        raise
    return folder


def _lay_out(folder: str, digest: str, blobs: BlobStore) -> None:
    layout = _layouts.get(folder)
    if layout is None:
        if len(_layouts) > 16:
            _layouts.clear()
        layout = _layouts[folder] = layout_of(blobs.open(digest, verify=True))
    layout.check_links()
    if not os.path.isdir(folder):
        _make(Path(folder), layout, blobs)
    elif time.monotonic() >= layout.look_again_at:
        started = time.monotonic()
        if layout.damage(folder):
            _repair(folder, layout, blobs)
        ended = time.monotonic()
        layout.look_again_at = ended + (ended - started) / _SHARE


def _forget(folder: str, digests: set[str], blobs: BlobStore) -> None:
    """Forget the manifest and what is damaged: while the house has them, nobody sends them."""
    _layouts.pop(folder, None)
    with contextlib.suppress(Unavailable, MissingBlob):  # not ours to write to, or no digest
        for digest in digests:
            blobs.delete(digest)


def _beside(address: str) -> str:
    if "://" in address:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        return f"{base}/treadle/snapshots"
    return f"{os.path.dirname(os.path.abspath(address))}/snapshots"


def _make(folder: Path, layout: Layout, blobs: BlobStore) -> None:
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    _clear_abandoned(folder)
    try:
        draft.mkdir(parents=True)
        for name in layout.folders:
            os.makedirs(f"{draft}/{name}", exist_ok=True)
        for name in layout.files:
            _write(f"{draft}/{name}", layout, name, blobs)
        for name, (target, _, _) in layout.links.items():
            os.symlink(target, f"{draft}/{name}")
        _close(str(draft), layout)
        os.rename(draft, folder)
    except BaseException as error:
        remove_tree(draft)
        if isinstance(error, OSError) and folder.exists():  # another process was faster
            return
        if isinstance(error, OSError):
            raise _not_writable(folder, error) from error
        raise


def _write(path: str, layout: Layout, name: str, blobs: BlobStore) -> None:
    digest, _, mode = layout.files[name]
    rest = blobs.open(digest, verify=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fchmod(descriptor, 0o555 if mode & 0o100 else 0o444)
        os.utime(descriptor, ns=(STAMP_NS, STAMP_NS))
    finally:
        os.close(descriptor)


def _close(folder: str, layout: Layout) -> None:
    """Make the folders read-only; the deepest first, as theirs change the times of those above."""
    for name in sorted(layout.folders, reverse=True):
        path = f"{folder}/{name}" if name else folder
        if name in layout.with_modules:
            os.makedirs(f"{path}/{PYCACHE}", exist_ok=True)
        os.chmod(path, 0o555)
        if name:  # the time of the top tells how old the whole is
            os.utime(path, ns=(STAMP_NS, STAMP_NS))


def _repair(folder: str, layout: Layout, blobs: BlobStore) -> None:
    """Put right what is not as it was laid out; one process at a time."""
    try:
        with _alone(os.path.dirname(folder)):
            damaged = layout.damage(folder)
            if not damaged:  # another process was faster
                return
            for name in layout.folders:  # in order: those above first
                _open_folder(f"{folder}/{name}" if name else folder, layout.entries(name))
            for name in damaged:
                _put_right(folder, layout, name, blobs)
            _close(folder, layout)
    except OSError as error:
        raise _not_writable(Path(folder), error) from error


def _open_folder(path: str, entries: frozenset[str]) -> None:
    """Make it writable, and remove what does not belong there."""
    if os.path.islink(path) or not os.path.isdir(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.mkdir(path)
    os.chmod(path, 0o700)
    for entry in os.listdir(path):
        if entry not in entries:
            _remove(f"{path}/{entry}")


def _put_right(folder: str, layout: Layout, name: str, blobs: BlobStore) -> None:
    path = f"{folder}/{name}"
    if name in layout.files:
        passing = f"{folder}.{os.getpid()}"
        _remove(passing)
        _write(passing, layout, name, blobs)
        if os.path.isdir(path) and not os.path.islink(path):
            remove_tree(path)
        os.replace(passing, path)
    elif name in layout.links:
        _remove(path)
        os.symlink(layout.links[name][0], path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        remove_tree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _clear_abandoned(folder: Path) -> None:
    """Remove what a process that died left half made."""
    if not folder.parent.is_dir():
        return
    for draft in folder.parent.glob(f".{folder.name}.*"):
        if not os.path.exists(f"/proc/{draft.name.rpartition('.')[2]}"):
            remove_tree(draft)


def _not_writable(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"The code cannot be laid out in {folder.parent}: {error.strerror}.",
        hint="Is there room on that disk, and may you write there?",
    )
