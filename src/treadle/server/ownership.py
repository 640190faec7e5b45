"""Who owns a data directory: a lock that dies with its holder, and a card that says where to call.

`owner.lock` is held with flock. `owner.json` tells the pid and the socket; it may be stale, so it
is believed only when somebody answers there.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import treadle
from treadle.errors import OwnedElsewhere, Unavailable
from treadle.server.machine import runtime_dir

LONGEST_SOCKET_PATH = 100  #: bytes; the kernel's limit is 107
SHORT_PREFIX = "treadle-"


def mark_of(data_dir: Path) -> str:
    """The data directory's id, which every process of its engine carries in its environment."""
    return hashlib.blake2s(os.fsencode(data_dir.resolve()), digest_size=12).hexdigest()


def prepare_data_dir(data_dir: Path) -> None:
    """Make the directory, for its owner alone, if it is not there.

    Raises Unavailable if that cannot be, or it cannot be written.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, probe = tempfile.mkstemp(prefix=".probe-", dir=data_dir)
        os.close(descriptor)
        os.unlink(probe)
    except OSError as error:
        raise Unavailable(
            f"The data directory {data_dir} cannot be used: {error.strerror or error}.",
            hint="Give another one with --data-dir, TREADLE_DATA_DIR or treadle.toml.",
        ) from error


class OwnerLock:
    """The right to move what is in a data directory. Never shared with a forked child."""

    def __init__(self, data_dir: Path) -> None:
        """Take it at once. Raises OwnedElsewhere, which names the owner's pid, or Unavailable."""
        self.data_dir = data_dir
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(data_dir / "owner.lock", flags, 0o600)
        except OSError as error:
            raise Unavailable(
                f"The data directory {data_dir} cannot be locked: {error.strerror}."
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            card = read_card(data_dir)
            who = f" (pid {card.pid}{f', {card.url}' if card.url else ''})" if card else ""
            raise OwnedElsewhere(
                f"Another process{who} owns the data directory {data_dir}.",
                hint="Commands and clients join it; `treadle down` stops a server. Or use another "
                "data directory.",
                pid=card.pid if card else None,
                url=card.url if card else None,
            ) from error

    def release(self) -> None:
        """Let go; again is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Where the owner is to be found."""

    pid: int
    socket: str
    started_at: str
    version: str
    url: str | None = None  #: where the door is that others can open


def read_card(data_dir: Path) -> Card | None:
    """What the present or last owner wrote."""
    try:
        wire: dict[str, Any] = json.loads((data_dir / "owner.json").read_bytes())
        known = {name: wire[name] for name in Card.__dataclass_fields__ if name in wire}
        return Card(**known)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_card(data_dir: Path, socket_path: Path, at: datetime, *, url: str | None = None) -> None:
    card = {
        "pid": os.getpid(),
        "socket": str(socket_path),
        "started_at": at.isoformat(),
        "version": treadle.__version__,
        "url": url,
    }
    passing = data_dir / f"owner.json.{os.getpid()}"
    passing.write_text(json.dumps(card))
    passing.replace(data_dir / "owner.json")


def answering(data_dir: Path) -> Path | None:
    """The socket of a live owner that takes calls, or None."""
    card = read_card(data_dir)
    if card is None:
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(card.socket)
        except OSError:
            return None
    return Path(card.socket)


class OwnerSocket:
    """The owner's Unix socket: listening, readable and writable by this user alone.

    Made by whoever holds the lock. Beside the ledger, or where that path is too long for the
    kernel, in a private folder of its own.
    """

    def __init__(self, data_dir: Path) -> None:
        _remove_left_behind(data_dir)
        self.path = data_dir / "owner.sock"
        self._folder: Path | None = None
        if len(os.fsencode(self.path)) > LONGEST_SOCKET_PATH:
            made = tempfile.mkdtemp(prefix=SHORT_PREFIX, dir=runtime_dir(os.environ))
            self._folder = Path(made)
            self.path = self._folder / "owner.sock"
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.fchmod(self.socket.fileno(), 0o600)  # before bind, so that it is never open to others
        self.socket.bind(str(self.path))
        self.socket.listen(1024)

    def close(self) -> None:
        self.socket.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def forget(self) -> None:
        """In a forked child: close our copy, leave the file to the parent."""
        self.socket.close()


def _remove_left_behind(data_dir: Path) -> None:
    """The private folder of an owner that was killed."""
    card = read_card(data_dir)
    if card is None or Path(card.socket).parent == data_dir:
        return
    folder = Path(card.socket).parent
    if (
        folder.name.startswith(SHORT_PREFIX)
        and folder.is_dir()
        and folder.stat().st_uid == os.getuid()
    ):
        shutil.rmtree(folder, ignore_errors=True)
