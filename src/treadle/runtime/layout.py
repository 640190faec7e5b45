"""What a snapshot looks like when it is laid out as files, by its manifest."""

import json
import os
import stat
from collections.abc import Iterable
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.model.inside import is_inside

STAMP_NS = 1_577_836_800 * 10**9  #: the time of every file and folder: the first day of 2020
PYCACHE = "__pycache__"
_DATA_HINT = "Run it again: a new run takes the file as it is now."


class Layout:
    """files: path -> (digest, size, mode); links: path -> (absolute path, size, mtime in ns);
    folders: paths, "" among them, those above first; with_modules: those that Python compiles in.
    """

    def __init__(self, files: dict[str, Any], links: dict[str, Any]) -> None:
        self.files = {_safe(name): entry for name, entry in files.items()}
        self.links = {_safe(name): entry for name, entry in links.items()}
        self._entries = _by_folder([*self.files, *self.links])
        self.folders = sorted(self._entries)
        self.with_modules = {_split(name)[0] for name in self.files if name.endswith(".py")}
        for name in self.with_modules:
            self._entries[name].add(PYCACHE)
        self.look_again_at = 0.0  #: by the monotonic clock

    def entries(self, folder: str) -> frozenset[str]:
        """The names in a folder, with __pycache__ where it may be."""
        return frozenset(self._entries[folder])

    def check_links(self) -> None:
        """Raise InvalidDefinition if a data file is not what it was when it was linked."""
        for name, (target, size, mtime_ns) in self.links.items():
            try:
                found = os.stat(target)
            except OSError as error:
                raise InvalidDefinition(
                    f"The data file {name} is not there any more: {target}: {error.strerror}.",
                    hint=_DATA_HINT,
                ) from None
            if (found.st_size, found.st_mtime_ns) != (size, mtime_ns):
                raise InvalidDefinition(
                    f"The data file {name} ({target}) has changed since the run was submitted: it "
                    f"had {size:,} bytes and has {found.st_size:,}, or it was written anew.",
                    hint=_DATA_HINT,
                )

    def damage(self, folder: str) -> list[str]:
        """Paths of what is not as it was laid out; "" for the top, where entries come or go."""
        files = [name for name in self.files if self._is_changed(f"{folder}/{name}", name)]
        links = [
            name for name, (target, _, _) in self.links.items()
            if _read_link(f"{folder}/{name}") != target
        ]  # fmt: skip
        folders = [name for name in self.folders if name and _is_touched(f"{folder}/{name}")]
        top = [] if self._entries[""] >= _names_in(folder) else [""]
        return [*files, *links, *folders, *top]

    def _is_changed(self, path: str, name: str) -> bool:
        try:
            found = os.lstat(path)
        except OSError:
            return True
        _, size, mode = self.files[name]
        wanted = stat.S_IFREG | (0o555 if mode & 0o100 else 0o444)
        return (found.st_size, found.st_mtime_ns, found.st_mode) != (size, STAMP_NS, wanted)


def layout_of(manifest: memoryview) -> Layout:
    """The layout that a manifest describes. Raises InvalidDefinition if it leads out of it."""
    told = json.loads(bytes(manifest))
    return Layout(told["files"], told.get("links", {}))


def _by_folder(names: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"": set()}
    for name in names:
        folder, entry = _split(name)
        while folder not in found:
            found[folder] = {entry}
            folder, entry = _split(folder)
        found[folder].add(entry)
    return found


def _split(name: str) -> tuple[str, str]:
    folder, _, entry = name.rpartition("/")
    return folder, entry


def _names_in(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:  # taken away a moment ago
        return set()


def _is_touched(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return True
    return (found.st_mtime_ns, found.st_mode) != (STAMP_NS, stat.S_IFDIR | 0o555)


def _read_link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _safe(name: str) -> str:
    """The name, if it stays inside its folder. Raises InvalidDefinition otherwise."""
    if not is_inside(name):
        raise InvalidDefinition(f"The code snapshot holds a file outside its folder: {name!r}.")
    return name
