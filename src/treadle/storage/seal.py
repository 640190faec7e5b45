"""Seals secrets with a key of the data directory, so that a copy of the ledger tells none.

The key stands in a 0600 file beside the ledger: it protects backups, exports and curious readers
of the database, not from who may read all of the data directory.
"""

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.errors import Unavailable

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class FileSeal:
    """interfaces.Seal: Fernet (AES-128-CBC with HMAC-SHA256), its key made at first use."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode("utf-8", "surrogateescape"))

    def open(self, sealed: bytes) -> str:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - 30 ms that few need

        try:
            return self._fernet.decrypt(sealed).decode("utf-8", "surrogateescape")
        except InvalidToken:
            raise Unavailable(
                f"A secret of this run was sealed with another key than {self._key_file} holds.",
                hint="Put the key file back that belongs to this data directory, or run anew.",
            ) from None

    @functools.cached_property
    def _fernet(self) -> "Fernet":
        from cryptography.fernet import Fernet  # noqa: PLC0415 - 30 ms that few need

        try:
            return Fernet(self._key_file.read_bytes())
        except FileNotFoundError:
            key = Fernet.generate_key()
            self._write(key)
            return Fernet(key)
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"The key of the secrets, {self._key_file}, cannot be used: {error}.",
                hint="It is a 0600 file of 44 characters; put it back from a backup.",
            ) from error

    def _write(self, key: bytes) -> None:
        draft = self._key_file.with_name(f".{self._key_file.name}.{os.getpid()}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(fd)
        os.replace(draft, self._key_file)
