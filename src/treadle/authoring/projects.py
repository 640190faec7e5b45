"""The files of a whole project: all below its root that is not ignored.

Nothing is written into the project. What is unchanged since the last time is not read again.
"""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from treadle.authoring import index, limits
from treadle.authoring.git import Repository, repository_of
from treadle.authoring.ignored import (
    RULE_FILES,
    Rules,
    is_always_out,
    is_foreign,
    is_secret,
    rules_above,
)
from treadle.authoring.index import KnownFile, KnownFolder
from treadle.errors import InvalidDefinition


@dataclass(slots=True)
class Found:
    """A file of a project. known: as it was the last time, if it has not changed since."""

    name: str  #: path below the root
    path: str  #: absolute
    status: os.stat_result
    folder: KnownFolder
    known: KnownFile | None


@dataclass(slots=True)
class Project:
    """What lies below a root, as one look at it found it."""

    root: Path
    looked_at_ns: int
    files: list[Found] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)  #: path -> why, where that may surprise
    folders: dict[str, KnownFolder] = field(default_factory=dict)  #: for the index
    is_changed: bool = False  #: since the index was written

    def remember(self, found: Found, digest: str) -> None:
        """Take a digest into the index, if a later change of the file would show."""
        self.is_changed = True
        status = found.status
        name = os.path.basename(found.name)
        kept = found.folder.links if name in found.folder.links else found.folder.files
        kept[name] = (
            KnownFile(
                status.st_mtime_ns,
                status.st_ctime_ns,
                status.st_size,
                status.st_ino,
                mode_of(status),
                digest,
            )
            if index.is_settled(status, self.looked_at_ns)
            else None
        )


def mode_of(status: os.stat_result) -> int:
    """0o755 for what its owner may execute, else 0o644."""
    return 0o755 if status.st_mode & 0o100 else 0o644


def look(root: Path, repository: Repository | None = None) -> Project:
    """Find the files of the project.

    Raises TooLarge if there are too many, InvalidDefinition if a folder cannot be read.
    """
    repository = repository or repository_of(root)
    project = Project(root=root, looked_at_ns=time.time_ns())
    walk = _Walk(project, index.load(root))
    top, exclude = (repository.top, repository.exclude) if repository else (None, None)
    walk.begin(rules_above(root, top, exclude))
    project.is_changed |= len(project.folders) != len(walk.known)
    return project


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A folder to look into. below: its path with "/" behind it, or ""; real: links followed;
    above: the real paths of the folders it is in.
    """

    below: str
    real: str
    rules: Rules
    above: frozenset[str] = frozenset()


class _Walk:
    """One walk over a project. known: what the index says."""

    def __init__(self, project: Project, known: dict[str, KnownFolder]) -> None:
        self.project, self.known = project, known
        self.top = str(project.root).rstrip("/")
        self.real_top = os.path.realpath(project.root).rstrip("/")  # "" for the whole machine
        self.ahead: list[_Ahead] = []
        self.count = 0

    def begin(self, rules: Rules) -> None:
        self.ahead.append(_Ahead("", self.real_top, rules))
        while self.ahead:
            self._folder(self.ahead.pop())

    def _folder(self, at: _Ahead) -> None:
        path = f"{self.top}/{at.below}"
        try:
            status = os.stat(path)
            listing, rules = self._listing(at.below, path, status, at.rules)
        except FileNotFoundError:  # removed while we walk
            return
        except OSError as error:
            raise unreadable(path.rstrip("/"), error) from error
        self.project.folders[at.below] = listing
        self.count += 1 + len(listing.files) + len(listing.links)
        if self.count > limits.MOST_FILES:
            raise limits.too_many(self.project.root, self.project.folders)
        for name, why in listing.left_out.items():
            self.project.left_out[at.below + name] = why
        for name, known in listing.files.items():
            self._file(at.below + name, path + name, listing, known)
        within = at.above | {at.real}
        for name in listing.folders:
            self.ahead.append(_Ahead(f"{at.below}{name}/", f"{at.real}/{name}", rules, within))
        for name in listing.links:
            self._link(at.below + name, path + name, listing, rules, within)

    def _listing(
        self, below: str, path: str, status: os.stat_result, rules: Rules
    ) -> tuple[KnownFolder, Rules]:
        known = self.known.get(below)
        if known is not None and known.is_still(status):
            own = rules.and_of(path, below, known.rule_files)
            if own.key == known.rules:
                return known, own
        self.project.is_changed = True
        settled = index.is_settled(status, self.project.looked_at_ns)
        made = KnownFolder(status.st_mtime_ns if settled else 0, status.st_ctime_ns, status.st_ino)
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        names = [entry.name for entry in entries]
        if below and is_foreign(names):
            made.rules = rules.key
            return made, rules
        made.rule_files = [name for name in RULE_FILES if name in names]
        rules = rules.and_of(path, below, made.rule_files)
        made.rules = rules.key
        before = {} if known is None else known.files
        for entry in entries:
            _sort_in(entry, below + entry.name, made, rules, before)
        return made, rules

    def _file(self, name: str, path: str, folder: KnownFolder, known: KnownFile | None) -> None:
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unreadable(path, error) from error
        if known is not None and not known.is_still(status):
            known = None
        if stat.S_ISREG(status.st_mode):
            self.project.files.append(Found(name, path, status, folder, known))

    def _link(
        self, name: str, path: str, folder: KnownFolder, rules: Rules, within: frozenset[str]
    ) -> None:
        """Take in what the link points to, if that is part of the project."""
        try:
            real = os.path.realpath(path, strict=True)
            status = os.stat(real)
        except OSError:
            self.project.left_out[name] = "it is a symbolic link that leads nowhere"
            return
        if not f"{real}/".startswith(f"{self.real_top}/"):
            self.project.left_out[name] = f"it is a symbolic link out of the project, to {real}"
            return
        parts = real[len(self.real_top) + 1 :].split("/")
        if any(is_always_out(part) or is_secret(part) for part in parts):
            return
        if stat.S_ISDIR(status.st_mode):
            if real in within:
                self.project.left_out[name] = "it is a symbolic link that leads in a circle"
            else:
                self.ahead.append(_Ahead(f"{name}/", real, rules, within))
        elif stat.S_ISREG(status.st_mode):
            known = folder.links[os.path.basename(name)]
            if known is not None and not known.is_still(status):
                known = None
            self.project.files.append(Found(name, real, status, folder, known))


def _sort_in(
    entry: "os.DirEntry[str]",
    path: str,
    made: KnownFolder,
    rules: Rules,
    before: dict[str, KnownFile | None],
) -> None:
    """Put an entry of a folder where it belongs."""
    name = entry.name
    is_folder = entry.is_dir(follow_symlinks=False)
    if rules.ignore(path, name, is_folder=is_folder):
        return
    if not _is_plain(name):
        made.left_out[name.encode(errors="backslashreplace").decode()] = "its name is no plain text"
    elif entry.is_symlink():
        made.links[name] = None
    elif is_folder:
        made.folders.append(name)
    elif entry.is_file(follow_symlinks=False):
        made.files[name] = before.get(name)
    else:
        made.left_out[name] = "it is no file but a pipe, a socket or a device"


def _is_plain(name: str) -> bool:
    """Whether a name can be written down: it is UTF-8, on one line."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not any(ord(character) < 32 for character in name)


def unreadable(path: str, error: OSError) -> InvalidDefinition:
    return InvalidDefinition(
        f"{path} cannot be read: {error.strerror}.",
        hint="All of the project goes with a run: make it readable, or name it in .treadleignore.",
    )


def ancestors(name: str) -> Iterator[str]:
    """The path and the folders above it: a/b/c, a/b, a."""
    while name:
        yield name
        name = name.rpartition("/")[0]
