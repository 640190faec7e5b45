"""The files that definitions name: on the disk of whoever submits, or elsewhere."""

import errno
import os
import stat
from abc import ABC, abstractmethod
from pathlib import Path

from treadle.errors import InvalidDefinition

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EBADF, errno.ENAMETOOLONG)


class Files(ABC):
    """Where files are looked for and read. Nothing else of this package touches a disk for them.

    is_here: programs can be looked for beside them, too. hint: what to do about a file that is
    not there.
    """

    is_here = False
    hint = ""

    @abstractmethod
    def at(self, folder: Path, text: str) -> Path:
        """Where the text leads to from the folder."""

    @abstractmethod
    def mode(self, path: Path) -> int | None:
        """Kind and permissions, as in st_mode; None if nothing is there. Raises OSError."""

    @abstractmethod
    def read(self, path: Path) -> bytes:
        """All of a file. Raises OSError."""

    @abstractmethod
    def names(self, folder: Path) -> list[str]:
        """What is in a folder; nothing if there is none."""

    @abstractmethod
    def real(self, path: Path) -> Path:
        """Where the path leads to behind all links."""

    def is_link(self, path: Path) -> bool:
        """Whether it is a symbolic link, even to nothing."""
        return False

    def is_executable(self, path: Path) -> bool:
        return (self.mode(path) or 0) & 0o111 != 0

    def exists(self, path: Path) -> bool:
        return self.mode(path) is not None

    def is_file(self, path: Path) -> bool:
        return stat.S_ISREG(self.mode(path) or 0)

    def is_dir(self, path: Path) -> bool:
        return stat.S_ISDIR(self.mode(path) or 0)

    def read_text(self, path: Path, where: str) -> str:
        """All of the file. Raises InvalidDefinition if it is no readable file of UTF-8 text."""
        if not self.is_file(path):  # a FIFO would be waited for
            raise InvalidDefinition(f"There is no file {path}.", where=where, hint=self.hint)
        try:
            return self.read(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}."
            raise InvalidDefinition(message, where=where) from None
        except UnicodeDecodeError:
            hint = "Save it as UTF-8."
            raise InvalidDefinition(f"{path} is not UTF-8 text.", where=where, hint=hint) from None


class Disk(Files):
    """The disk of this process, which is that of whoever submits."""

    is_here = True

    def at(self, folder: Path, text: str) -> Path:
        return Path(os.path.abspath(folder / Path(text).expanduser()))

    def mode(self, path: Path) -> int | None:
        try:
            return path.stat().st_mode
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise
        except ValueError:  # a NUL in it
            return None

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def names(self, folder: Path) -> list[str]:
        return [each.name for each in folder.iterdir()] if folder.is_dir() else []

    def real(self, path: Path) -> Path:
        return Path(os.path.realpath(path))

    def is_link(self, path: Path) -> bool:
        return path.is_symlink()

    def is_executable(self, path: Path) -> bool:
        return os.access(path, os.X_OK)


DISK = Disk()
