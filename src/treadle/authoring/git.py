"""What git knows of a project: commit, branch, whether anything differs from the commit."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TIME_LIMIT_SECONDS = 2.0  #: from its start; a snapshot does not wait longer for it
_MISLEADING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFacts:
    """All empty where git does not tell."""

    commit: str = ""
    branch: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """top: the folder of the working tree; private: its git folder; common: that of all trees."""

    top: Path
    private: Path
    common: Path

    @property
    def exclude(self) -> Path:
        return self.common / "info" / "exclude"

    def stamp(self) -> tuple[int, ...]:
        """Changes when the commit, the branch or the index does."""
        found = []
        for name in ("HEAD", "index", "logs/HEAD"):
            with contextlib.suppress(OSError):
                status = os.stat(self.private / name)
                found += [status.st_mtime_ns, status.st_size, status.st_ino]
        return tuple(found)


def repository_of(folder: Path) -> Repository | None:
    """The repository that the folder lies in."""
    for top in (folder, *folder.parents):
        mark = top / ".git"
        if mark.is_dir():
            return Repository(top=top, private=mark, common=mark)
        if mark.is_file():  # a linked working tree, or a submodule
            return _linked(top, mark)
    return None


def _linked(top: Path, mark: Path) -> Repository | None:
    try:
        private = top / mark.read_text().removeprefix("gitdir:").strip()
        shared = private / "commondir"
        common = private / shared.read_text().strip() if shared.is_file() else private
    except (OSError, UnicodeDecodeError):
        return None
    return Repository(top=top, private=private, common=common)


class GitStatus:
    """`git status` of a folder, at work since this was made; ask for its facts once."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        given = os.environ if environ is None else environ
        self._until = time.monotonic() + TIME_LIMIT_SECONDS
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):  # there is no git
            self._process = subprocess.Popen(
                [
                    "git", "--no-optional-locks", "-c", "core.fsmonitor=false", "status",
                    "--porcelain=v2", "--branch", "--", ".",
                ],
                cwd=folder,
                env={name: text for name, text in given.items() if name not in _MISLEADING},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def facts(self) -> GitFacts:
        """What it told within the time limit; an unfinished git is ended."""
        process = self._process
        if process is None:
            return GitFacts()
        try:
            told, _ = process.communicate(timeout=max(0.0, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.stop()
            return GitFacts()
        return facts_in(told) if process.returncode == 0 else GitFacts()

    def stop(self) -> None:
        """End it with all that it started; harmless when it has ended."""
        if self._process is None:
            return
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdout is not None:
            self._process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # a disk that does not answer
            self._process.wait(timeout=1)


def facts_in(told: bytes) -> GitFacts:
    """What the output of `git status --porcelain=v2 --branch` says."""
    commit = branch = ""
    dirty = False
    for line in told.decode(errors="replace").splitlines():
        if line.startswith("# branch.oid "):
            commit = line.rpartition(" ")[2]
        elif line.startswith("# branch.head "):
            branch = line.removeprefix("# branch.head ")
        elif not line.startswith("#"):
            dirty = True
    return GitFacts(
        commit="" if commit == "(initial)" else commit,
        branch="" if branch == "(detached)" else branch,
        dirty=dirty,
    )
