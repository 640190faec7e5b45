"""Which files of a project stay out of its snapshots.

As git does it: a folder's entries are looked at one by one, from the top down; the last pattern of
the nearest file of rules that matches an entry decides, and nothing below an ignored folder is
looked at. `.treadleignore` has the same syntax and goes before all of git's.
"""

import functools
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from blake3 import blake3

from treadle.authoring.patterns import Pattern, as_bytes, patterns_in

RULE_FILES = (".gitignore", ".treadleignore")
ALWAYS = frozenset(
    {
        ".git", ".hg", ".svn", "__pycache__", "node_modules", ".ipynb_checkpoints", ".mypy_cache",
        ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache", ".tox", ".nox",
        ".DS_Store",
    }
)  # fmt: skip
_FOREIGN = (
    {"pyvenv.cfg"},  # a virtual environment
    {"CACHEDIR.TAG"},  # a cache, as bford.info/cachedir marks it
    {"ledger.db", "owner.lock"},  # a data directory of Treadle
)  #: names that show what their folder is


def is_always_out(name: str) -> bool:
    """Whether no rule can take it in."""
    return name in ALWAYS or name.endswith((".pyc", ".pyo"))


def is_secret(name: str) -> bool:
    """Whether it stays out unless `.treadleignore` names it: variables with passwords in them."""
    return name == ".env" or name.startswith(".env.")


def is_foreign(names: Collection[str]) -> bool:
    """Whether the folder of these entries is no part of a project: an environment, a cache."""
    return any(mark <= set(names) for mark in _FOREIGN)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules. below: its folder's path below the root, with "/" behind it; above: the
    root's path below its folder, likewise. One of them is empty.
    """

    path: str
    stamp: tuple[int, ...]  #: shows a change
    below: str = ""
    above: str = ""

    def verdict(self, path: str, name: str, *, is_folder: bool) -> Pattern | None:
        """The pattern that decides, if one does."""
        path = self.above + path[len(self.below) :]
        for pattern in _patterns(self.path, self.stamp):
            if pattern.matches(path, name, is_folder=is_folder):
                return pattern
        return None


@dataclass(frozen=True, slots=True)
class Rules:
    """The files of rules in force in a folder, the nearest first. key: changes with any of them."""

    own: tuple[RuleFile, ...] = ()
    gits: tuple[RuleFile, ...] = ()
    key: str = ""

    def and_of(self, folder: str, below: str, names: Iterable[str]) -> "Rules":
        """With a folder's own. folder: absolute, with "/" behind it; names: of its rule files."""
        rules = self
        for name in names:
            found = rule_file(folder + name, below=below)
            rules = rules.and_file(found, own=name == ".treadleignore")
        return rules

    def and_file(self, found: RuleFile | None, *, own: bool = False) -> "Rules":
        """With one more, nearer than the others."""
        if found is None:
            return self
        told = f"{self.key} {found.path} {found.stamp}".encode(errors="surrogateescape")
        key = blake3(told).hexdigest()[:24]
        if own:
            return replace(self, own=(found, *self.own), key=key)
        return replace(self, gits=(found, *self.gits), key=key)

    def ignore(self, path: str, name: str, *, is_folder: bool) -> bool:
        """Whether an entry stays out. path: below the root; name: its last part."""
        if is_always_out(name):
            return True
        path, shown = as_bytes(path), as_bytes(name)
        for each in self.own:
            if found := each.verdict(path, shown, is_folder=is_folder):
                if found.takes_in and is_secret(name) and ".env" not in found.text:
                    continue  # `!*` is not meant to give passwords away
                return not found.takes_in
        if is_secret(name):
            return True
        for each in self.gits:
            if found := each.verdict(path, shown, is_folder=is_folder):
                return not found.takes_in
        return False


def rule_file(path: str, *, below: str = "", above: str = "") -> RuleFile | None:
    """The file of rules there, if there is one."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    stamp = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
    return RuleFile(path, stamp, as_bytes(below), as_bytes(above))


def rules_above(root: Path, top: Path | None, exclude: Path | None) -> Rules:
    """What git's files outside the root say of it. top: of its repository, if it has one."""
    rules = Rules()
    if top is None:
        return rules
    if exclude is not None:
        rules = rules.and_file(rule_file(str(exclude), above=_above(top, root)))
    for folder in reversed(root.parents):
        if folder.is_relative_to(top):
            found = rule_file(str(folder / ".gitignore"), above=_above(folder, root))
            rules = rules.and_file(found)
    return rules


def _above(folder: Path, root: Path) -> str:
    return "" if folder == root else f"{root.relative_to(folder).as_posix()}/"


@functools.lru_cache(maxsize=512)
def _patterns(path: str, stamp: tuple[int, ...]) -> tuple[Pattern, ...]:
    """The patterns of a file of rules; stamp: a new one, and it is read again."""
    try:
        return patterns_in(Path(path).read_bytes())
    except OSError:  # a folder of that name, or nothing we may read: git goes on, too
        return ()
