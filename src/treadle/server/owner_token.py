"""The owner's token: a file in the data directory that only the owner can read.

Whoever can read it is the owner of the data directory anyway, and may do all. It is made at the
first start of a door that others can reach; delete the file and start again to have another.
"""

import logging
import os
import stat
import tempfile
from pathlib import Path

from treadle.errors import Unavailable
from treadle.model.credentials import OWNERS_TOKEN, new_secret, owners, text_of

FILE = "owner.token"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
LARGEST_BYTES = 1024
log = logging.getLogger("treadle.server")


def ensure_owner_token(data_dir: Path) -> str:
    """The text of the token, made if there is none; by whoever owns the data directory.

    One that others could read is not trusted any more: it is replaced, and the log says so.
    Raises Unavailable if the file belongs to somebody else, or cannot be read or written.
    """
    path = data_dir / FILE
    try:
        text, mode = _read(path)
        if text and not mode & OTHERS:
            return text
        if text:
            log.warning("%s could be read by others (mode %o): it is made anew", path, mode)
        return _write(path)
    except OSError as error:
        raise Unavailable(
            f"The owner's token {path} cannot be used: {error.strerror or error}.",
            hint="It must be a file of your own; delete it to have it made anew.",
        ) from error


def owner_token(data_dir: Path) -> str | None:
    """The text of the token, for a client on this machine; None where it is not to be had."""
    try:
        return _read(data_dir / FILE)[0] or None
    except (OSError, Unavailable):
        return None


def _read(path: Path) -> tuple[str, int]:
    """(the token, or "" for none, permissions). No link is followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return "", 0
    with open(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if facts.st_uid != os.geteuid():
            raise Unavailable(
                f"The owner's token {path} belongs to another user.",
                hint="Run as that user, or give another data directory.",
            )
        text = file.read(LARGEST_BYTES).decode("ascii", "replace").strip()
    return (text if owners(text) else ""), stat.S_IMODE(facts.st_mode)


def _write(path: Path) -> str:
    """A new one in its place, whole or not at all."""
    text = text_of(OWNERS_TOKEN, new_secret())
    descriptor, passing = tempfile.mkstemp(prefix=f".{FILE}-", dir=path.parent)  # mode 0600
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(descriptor)
        os.replace(passing, path)
    except OSError:
        os.unlink(passing)
        raise
    return text
